package world

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// folders is how the temporary folders of runs begin.
const folders = "sluice-e2e-"

// own puts a program into a process group of its own, so that it can be ended with its children, and lets the kernel end
// it when the run ends without a word: by a panic, a time limit or a kill.
func own() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// lock marks a folder as one of a run that goes on.
func lock(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep ends the clusters of runs that ended without a word, and removes their folders. A cluster outlives its run's
// process, since it is meant to be used by hand too.
func sweep(root string) {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), folders+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, "lock")); err != nil {
			continue // just being made
		}
		held, err := lock(dir)
		if err != nil {
			continue // a run goes on
		}
		if program, err := binary(root, "e2e/bin/devcluster"); err == nil {
			_ = exec.Command(program, "down", "--dir", filepath.Join(dir, "cluster")).Run() //nolint:errcheck // nothing is there
		}
		_ = os.RemoveAll(dir)
		_ = held.Close()
	}
}
