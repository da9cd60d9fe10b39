package worker

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const probing = "probe-barriers"

// probe makes this process one that tries everything from behind the barriers, and says how each try ended.
func probe() {
	if len(os.Args) < 3 || os.Args[1] != probing {
		return
	}
	up, err := raise(DefaultMemory, os.Args[2] == namespace)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	out := map[string]string{"active": fmt.Sprint(up)}
	for name, try := range tries() {
		out[name] = "done"
		if err := try(); err != nil {
			out[name] = err.Error()
		}
	}
	out["environment"] = strings.Join(os.Environ(), " ")
	_ = json.NewEncoder(os.Stdout).Encode(out)
	os.Exit(0)
}

func tries() map[string]func() error {
	call := func(number uintptr, args ...uintptr) func() error {
		args = append(args, 0, 0, 0)
		return func() error {
			if _, _, errno := syscall.Syscall(number, args[0], args[1], args[2]); errno != 0 {
				return errno
			}
			return nil
		}
	}
	one := uintptr(unsafe.Pointer(&[]byte("/etc/passwd\x00")[0]))
	return map[string]func() error{
		"read a file":         func() error { _, err := os.ReadFile("/etc/passwd"); return err },
		"read own program":    func() error { _, err := os.ReadFile("/proc/self/exe"); return err },
		"write a file":        func() error { return os.WriteFile("/tmp/escaped", nil, 0o600) },
		"list a folder":       func() error { _, err := os.ReadDir("/"); return err },
		"look at a file":      func() error { _, err := os.Stat("/etc/passwd"); return err },
		"connect by TCP":      func() error { _, err := net.DialTimeout("tcp", "127.0.0.1:80", time.Second); return err },
		"listen":              func() error { _, err := net.Listen("tcp", "127.0.0.1:0"); return err },
		"send by UDP":         func() error { _, err := net.Dial("udp", "127.0.0.1:53"); return err },
		"connect to a socket": func() error { _, err := net.Dial("unix", "/run/docker.sock"); return err },
		"look up a host":      func() error { _, err := net.LookupHost("example.com"); return err },
		"run a program":       func() error { return exec.Command("/bin/true").Run() },
		"become a program":    func() error { return syscall.Exec("/bin/true", []string{"true"}, nil) },
		"kill the parent":     func() error { return syscall.Kill(os.Getppid(), 0) },
		"signal a thread of the parent": func() error {
			return unix.Tgkill(os.Getppid(), os.Getppid(), 0)
		},
		"trace the parent":           call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, uintptr(os.Getppid())),
		"use io_uring":               call(unix.SYS_IO_URING_SETUP, 8, one),
		"make a memory file":         call(unix.SYS_MEMFD_CREATE, one, 0),
		"make a namespace":           call(unix.SYS_UNSHARE, unix.CLONE_NEWUSER),
		"open by handle":             call(unix.SYS_OPEN_BY_HANDLE_AT, 0, 0),
		"load a filter":              call(unix.SYS_BPF),
		"take the memory of another": call(unix.SYS_PROCESS_VM_READV, uintptr(os.Getppid())),
		"be dumpable again":          call(unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 1),
		"have more memory":           call(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_DATA, one),
	}
}

// From behind the barriers nothing can be reached, with namespaces and without them.
func TestBarriersHold(t *testing.T) {
	for _, where := range []string{namespace, shared} {
		t.Run(where, func(t *testing.T) {
			t.Setenv("SLUICE_TEST_PASSWORD", "hunter2")
			cmd := exec.Command(os.Args[0], probing, where)
			cmd.Env, cmd.SysProcAttr = []string{"TZ=UTC"}, apart(where == namespace)
			cmd.Stderr = os.Stderr
			text, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]string
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("%v: %s", err, text)
			}
			t.Logf("active: %s", got["active"])
			if !strings.Contains(got["active"], "seccomp") {
				t.Error("seccomp is not active")
			}
			for name := range tries() {
				if got[name] == "done" || got[name] == "" {
					t.Errorf("could %s", name)
				}
				t.Logf("%-28s %s", name, got[name])
			}
			if got["environment"] != "TZ=UTC" {
				t.Errorf("environment: %s", got["environment"])
			}
		})
	}
}

// The environment of a worker is fixed, whatever the parent's is; so are its open files.
func TestWorkerInheritsNothing(t *testing.T) {
	t.Setenv("SLUICE_TEST_PASSWORD", "hunter2")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	if _, err := unix.FcntlInt(r.Fd(), unix.F_SETFD, 0); err != nil { // as a careless parent's parent would leave it
		t.Fatal(err)
	}
	p, err := start(DefaultMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	proc := fmt.Sprintf("/proc/%d/", p.cmd.Process.Pid)
	environ, err := os.ReadFile(proc + "environ")
	if err == nil && strings.Contains(string(environ), "hunter2") {
		t.Errorf("environment: %q", environ)
	}
	if strings.Contains(strings.Join(p.cmd.Env, " "), "hunter2") {
		t.Errorf("environment: %q", p.cmd.Env)
	}
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Skipf("only root may look at the files of what is not dumpable: %v", err)
	}
	ours, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", r.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if to, err := os.Readlink(proc + "fd/" + f.Name()); err == nil && to == ours {
			t.Errorf("file %s is the parent's %s", f.Name(), to)
		}
	}
}
