package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a program that was started, perhaps by another run of this one.
type Process struct {
	PID int `json:"pid"`
	// Started is when, in the kernel's ticks since boot.
	Started uint64 `json:"started"`
}

// Load reads the file that Start wrote. ok is false where there is none.
func Load(pidFile string) (p Process, ok bool, err error) {
	b, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Process{}, false, nil
	}
	if err != nil {
		return Process{}, false, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return Process{}, false, fmt.Errorf("read %q: %w", pidFile, err)
	}
	return p, true, nil
}

// Alive says whether p still runs. One that has ended and waits for its parent does not.
func (p Process) Alive() bool {
	state, started, err := stat(p.PID)
	return err == nil && started == p.Started && state != "Z" && state != "X"
}

// Signal sends s to p, and to no other process that may have got its number since.
func (p Process) Signal(s syscall.Signal) error {
	handle, err := os.FindProcess(p.PID) // holds on to the process itself, so Alive below speaks of the same
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	if !p.Alive() {
		return nil
	}
	if err := handle.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// Stop asks p to end, forces it after grace, and returns when it has ended. Stopping one that has ended is no
// error.
func (p Process) Stop(grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if p.waitUntil(time.Now().Add(grace)) {
		return nil
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.waitUntil(time.Now().Add(5 * time.Second)) {
		return fmt.Errorf("end process %d: still there after SIGKILL", p.PID)
	}
	return nil
}

func (p Process) waitUntil(deadline time.Time) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.Alive() {
		if time.Now().After(deadline) {
			return false
		}
		<-tick.C
	}
	return true
}

// stat reads a process's state and start time, fields 3 and 22 of /proc/PID/stat (man 5 proc_pid_stat).
func stat(pid int) (state string, started uint64, err error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0, err
	}
	// The second field is the name, in parentheses; it may hold spaces and parentheses itself.
	rest := string(b[strings.LastIndexByte(string(b), ')')+1:])
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", 0, fmt.Errorf("read state of process %d: %d fields", pid, len(fields))
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0], started, err
}
