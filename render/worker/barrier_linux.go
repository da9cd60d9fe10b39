package worker

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// canNamespaces says that the kernel may have them.
const canNamespaces = true

// memoryOver is what the kernel allows beyond the limit, in private memory that can be written: Go maps it 64 MiB at a
// time, and some of it is never touched. The parent looks at what is. RLIMIT_AS would count addresses that Go only
// reserves, more than a GiB from the start.
const memoryOver = 512 << 20

// raise puts this process behind its barriers, one after the other; what the kernel does not have is named. The last is
// the only one that nothing can do without: seccomp allows no system call that opens anything.
func raise(memory int64, alone bool) (hello, error) {
	var up hello
	for resource, most := range map[int]uint64{
		unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_DATA: uint64(memory + memoryOver), //nolint:gosec // it is positive
	} {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
			return up, fmt.Errorf("set limit: %w", err)
		}
	}
	// Where the machine runs short the kernel takes a worker, not the agent.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) //nolint:errcheck // a wish
	if err := closeInherited(); err != nil {
		return up, err
	}
	// Nobody of the same user may look into it, and it may become nothing else.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return up, fmt.Errorf("be not dumpable: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return up, fmt.Errorf("give up new privileges: %w", err)
	}
	if alone {
		up.Network = append(up.Network, "namespace")
	} else {
		up.Lacks = append(up.Lacks, "namespaces")
	}
	if err := landlock(); err == nil {
		up.Files = append(up.Files, "landlock")
	} else {
		up.Lacks = append(up.Lacks, "landlock")
	}
	if err := filter(); err == nil {
		up.Network, up.Files = append(up.Network, "seccomp"), append(up.Files, "seccomp")
	} else {
		up.Lacks = append(up.Lacks, "seccomp")
	}
	return up, nil
}

// closeInherited closes what the parent was itself given without the mark that it goes no further. What the runtime has
// opened stays: its queues, and the files by which it knows how many processors there are.
func closeInherited() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return nil //nolint:nilerr // no /proc: the parent opens nothing without the mark
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		to, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name()))
		if err != nil || strings.HasPrefix(to, "anon_inode:[event") || strings.HasPrefix(to, "/sys/fs/cgroup/") {
			continue
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close what was inherited: %w", err)
		}
	}
	return nil
}

// apart is how a worker is started: as nobody, with a network of its own in which there is nothing.
func apart(namespaces bool) *syscall.SysProcAttr {
	if !namespaces {
		return nil
	}
	return &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}
}

// refused reports whether the kernel allows no namespaces here, or no more of them.
func refused(err error) bool {
	return errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EUSERS) ||
		errors.Is(err, unix.ENOSYS)
}

func isBrokenPipe(err error) bool { return errors.Is(err, unix.EPIPE) }

// meter tells what memory a process has. The zero meter tells nothing.
type meter struct{ statm *os.File }

func newMeter(pid int) meter {
	statm, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return meter{} // no /proc: Go's own limit is all that there is
	}
	return meter{statm}
}

// resident is the memory that is the process's own, in bytes; what it shares with the program's file is not. It is 0 when
// the process is gone.
func (m meter) resident() int64 {
	if m.statm == nil {
		return 0
	}
	var text [128]byte
	n, _ := m.statm.ReadAt(text[:], 0) // it ends before the buffer does
	fields := strings.Fields(string(text[:n]))
	if len(fields) < 3 {
		return 0
	}
	all, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	shared, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return 0
	}
	return (all - shared) * int64(os.Getpagesize())
}

func (m meter) close() {
	if m.statm != nil {
		_ = m.statm.Close() //nolint:errcheck // it was read only
	}
}

// lower gives a process the least priority. Linux has one for each thread.
func lower(pid int) {
	tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "[0-9]*")) // the pattern is well-formed
	for _, task := range tasks {
		if id, err := strconv.Atoi(filepath.Base(task)); err == nil {
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, 19) //nolint:errcheck // a wish; the thread may be gone
		}
	}
}
