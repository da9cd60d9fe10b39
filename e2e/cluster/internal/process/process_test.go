package process

import (
	"path/filepath"
	"testing"
	"time"
)

func startSleep(t *testing.T) (*Child, string) {
	t.Helper()
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "sleep.pid")
	child, err := Start(Spec{
		Name: "sleep", Program: "/bin/sleep", Args: []string{"600"}, Dir: dir,
		Log: filepath.Join(dir, "sleep.log"), PIDFile: pidFile,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Stop(time.Second) })
	return child, pidFile
}

func TestStopEndsWhatTheFileNames(t *testing.T) {
	child, pidFile := startSleep(t)
	p, ok, err := Load(pidFile)
	if err != nil || !ok || p != child.Process || !p.Alive() {
		t.Fatalf("got %+v, %v, %v; want %+v, alive", p, ok, err, child.Process)
	}
	if err := p.Stop(time.Second); err != nil || p.Alive() {
		t.Fatalf("alive %v, error %v", p.Alive(), err)
	}
	<-child.Ended
	if err := p.Stop(time.Second); err != nil {
		t.Errorf("stop again: %v", err)
	}
}

func TestAnotherProcessWithTheSameNumberIsNotSignalled(t *testing.T) {
	child, _ := startSleep(t)
	former := Process{PID: child.PID, Started: child.Started - 1}
	if err := former.Stop(time.Second); err != nil || former.Alive() {
		t.Errorf("alive %v, error %v", former.Alive(), err)
	}
	if !child.Alive() {
		t.Error("a process was ended that only had the same number")
	}
}

func TestLoadWithoutFile(t *testing.T) {
	if _, ok, err := Load(filepath.Join(t.TempDir(), "none")); ok || err != nil {
		t.Errorf("got %v, %v; want false, nil", ok, err)
	}
}

func TestFreePortsAreDifferent(t *testing.T) {
	ports, err := FreePorts(50)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range ports {
		if seen[p] {
			t.Errorf("port %d twice", p)
		}
		seen[p] = true
	}
}
