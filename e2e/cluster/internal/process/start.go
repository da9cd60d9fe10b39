package process

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// Spec says what Start starts.
type Spec struct {
	Name    string // argument zero
	Program string // the file that is run
	Args    []string
	Env     []string
	Dir     string
	Log     string // file to which output is appended
	PIDFile string
}

// Child is a process that this run of the program started.
type Child struct {
	Process
	Spec Spec
	// Ended is closed when the child has ended.
	Ended <-chan struct{}
}

// Start runs a program in a session of its own, so that a signal meant for this program's terminal or group
// does not reach it.
func Start(s Spec) (*Child, error) {
	log, err := os.OpenFile(s.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	defer func() { _ = log.Close() }()
	cmd := &exec.Cmd{
		Path: s.Program, Args: append([]string{s.Name}, s.Args...), Env: s.Env, Dir: s.Dir,
		Stdout: log, Stderr: log, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	p, err := remember(cmd.Process.Pid, s.PIDFile)
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, fmt.Errorf("start %s: %w", s.Name, err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	return &Child{Process: p, Spec: s, Ended: ended}, nil
}

func remember(pid int, file string) (Process, error) {
	_, started, err := stat(pid)
	if err != nil {
		return Process{}, err
	}
	p := Process{PID: pid, Started: started}
	b, err := json.Marshal(p)
	if err != nil {
		return Process{}, err
	}
	return p, os.WriteFile(file, append(b, '\n'), 0o644)
}
