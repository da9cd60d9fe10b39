package worker

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allowed are the system calls that Go needs to read and write its pipes, to have memory and threads, and to end. All
// others fail: nothing is opened, nobody is called, no program runs. It is an allow-list, since what a later kernel
// learns (io_uring was such a thing) must not be allowed before somebody thought about it. The filter is written down as
// the kernel takes it: a library would add nothing but names.
var allowed = append([]uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_READV, unix.SYS_WRITEV, unix.SYS_PREAD64, unix.SYS_CLOSE, unix.SYS_FSTAT, unix.SYS_FCNTL,
	unix.SYS_MMAP, unix.SYS_MUNMAP, unix.SYS_MREMAP, unix.SYS_MPROTECT, unix.SYS_MADVISE, unix.SYS_MINCORE, unix.SYS_BRK,
	unix.SYS_FUTEX, unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_RESTART_SYSCALL,
	unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP, unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_GETRANDOM,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_EPOLL_PWAIT, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_CREATE1, unix.SYS_EVENTFD2, unix.SYS_PPOLL,
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_EXIT, unix.SYS_EXIT_GROUP,
}, allowedHere...)

// Where struct seccomp_data has the call's number, its architecture, and the lower half of its first argument; see
// https://docs.kernel.org/userspace-api/seccomp_filter.html.
const (
	atNumber       = 0
	atArchitecture = 4
	atArgument     = 16
)

// filter installs the list for all threads.
func filter() error {
	program := rules(uint32(os.Getpid())) //nolint:gosec // it is positive
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return fmt.Errorf("install the filter of system calls: %w", errno)
	}
	return nil
}

func rules(pid uint32) []unix.SockFilter {
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	// where it is not equal (or has not the bit), so many instructions are passed over
	unless := func(how uint16, value uint32, over uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | how | unix.BPF_K, K: value, Jf: over}
	}
	end := func(how uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: how} }
	deny := func(errno unix.Errno) unix.SockFilter { return end(unix.SECCOMP_RET_ERRNO | uint32(errno)) }

	program := []unix.SockFilter{
		load(atArchitecture), unless(unix.BPF_JEQ, architecture, 1), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JA, K: 1}, end(unix.SECCOMP_RET_KILL_PROCESS),
		load(atNumber),
	}
	for _, number := range allowed {
		program = append(program, unless(unix.BPF_JEQ, number, 1), end(unix.SECCOMP_RET_ALLOW))
	}
	return append(program,
		// clone makes threads and no processes; where clone3 is not there, C libraries fall back to it.
		unless(unix.BPF_JEQ, unix.SYS_CLONE, 4), load(atArgument), unless(unix.BPF_JSET, unix.CLONE_THREAD, 1), end(unix.SECCOMP_RET_ALLOW), deny(unix.EPERM),
		unless(unix.BPF_JEQ, unix.SYS_CLONE3, 1), deny(unix.ENOSYS),
		// The runtime interrupts its own threads, and nobody else's.
		unless(unix.BPF_JEQ, unix.SYS_TGKILL, 4), load(atArgument), unless(unix.BPF_JEQ, pid, 1), end(unix.SECCOMP_RET_ALLOW), deny(unix.EPERM),
		deny(unix.EPERM),
	)
}
