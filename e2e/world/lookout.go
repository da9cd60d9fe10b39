package world

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Lookout is a dashboard in a process of its own.
type Lookout struct {
	Address string // host:port
	log     string
}

// Seen is a cell of its board, as far as stories look.
type Seen struct {
	Application, Environment, Phase, Reason, Health, Stale, Standing string

	Release struct{ Revision, Subject, Author string }
	Proven  *struct{ Revision string }
}

// NewLookout starts `sluice dashboard` and returns when it answers. It ends with the test.
func (s *Story) NewLookout(t testing.TB, args ...string) *Lookout {
	t.Helper()
	l := &Lookout{Address: freeAddress(t), log: filepath.Join(t.TempDir(), "dashboard.log")}
	log, err := os.Create(l.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(s.Sluice, append([]string{"dashboard", "--listen", l.Address}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, own()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start dashboard: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the dashboard ended: %v\n%s", err, l.Log(t))
			}
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			t.Error("the dashboard did not end within 10 s")
		}
	})
	Await(t, 30*time.Second, "the dashboard answers", func() error {
		_, _, err := Fetch(l.Address, "/assets/style.css")
		return err
	})
	return l
}

// Log is what it has written.
func (l *Lookout) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(l.log)
	if err != nil {
		t.Fatal(err)
	}
	return Tail(string(text), 20)
}

// Fetch asks a dashboard for a page.
func Fetch(address, path string) (status int, body string, err error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Accept", "text/html,application/json")
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

// AwaitPage waits until a page of a dashboard has all of the words.
func AwaitPage(t testing.TB, address, path string, words ...string) string {
	t.Helper()
	var page string
	Await(t, Patience, fmt.Sprintf("%s says %q", path, words), func() error {
		status, body, err := Fetch(address, path)
		if page = body; err != nil {
			return err
		}
		for _, word := range words {
			if !strings.Contains(body, word) {
				return fmt.Errorf("status %d without %q: %.2000s", status, word, body)
			}
		}
		return nil
	})
	return page
}

// AwaitSeen waits until the cell of an environment of the shop is as it must become.
func (l *Lookout) AwaitSeen(t testing.TB, what, environment string, is func(Seen) bool) Seen {
	t.Helper()
	var found Seen
	Await(t, Patience, what, func() error {
		_, body, err := Fetch(l.Address, "/api/v1/board")
		if err != nil {
			return err
		}
		var board struct{ Cells []Seen }
		if err := json.Unmarshal([]byte(body), &board); err != nil {
			return err
		}
		for _, c := range board.Cells {
			if c.Application == "shop" && c.Environment == environment {
				if found = c; is(c) {
					return nil
				}
				return fmt.Errorf("it is %+v", c)
			}
		}
		return errors.New("there is no such cell")
	})
	return found
}
