package world

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Forge is a real Gitea on loopback. What belongs to one story is a Project.
type Forge struct {
	// URL of its pages; it stays the same when the forge is stopped and started again.
	URL string

	program, dir, address string
	admin                 Account
	cmd                   *exec.Cmd
	ended                 chan struct{}
}

// Forge is the one that the stories of a run share, started when the first of them asks. A story that wants to stop it
// starts another by StartForge.
func (w *World) Forge(t testing.TB) *Forge {
	t.Helper()
	w.forge.Lock()
	defer w.forge.Unlock()
	if w.forge.shared == nil {
		f, err := startForge(w.Root, filepath.Join(w.Dir, "forge"))
		if err != nil {
			t.Fatal(err)
		}
		w.forge.shared = f
	}
	return w.forge.shared
}

// sharedForge is nothing until a story asks for it.
type sharedForge struct {
	sync.Mutex
	shared *Forge
}

// StartForge starts a forge that is the story's own.
func (s *Story) StartForge(t testing.TB) *Forge {
	t.Helper()
	f, err := startForge(s.Root, filepath.Join(s.Dir, "forge"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the forge's last words:\n%s", Tail(f.Log(), 60))
		}
		f.Stop()
	})
	return f
}

func startForge(root, dir string) (*Forge, error) {
	program, err := binary(root, "e2e/bin/gitea")
	if err != nil {
		return nil, err
	}
	f := &Forge{program: program, dir: dir, admin: Account{Name: "administrator", password: rand.Text()}}
	if f.address, err = unusedAddress(); err != nil {
		return nil, err
	}
	f.URL = "http://" + f.address
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(f.config(), []byte(f.settings()), 0o600); err != nil {
		return nil, err
	}
	if err := f.Start(); err != nil {
		return nil, err
	}
	out, err := f.command("admin", "user", "create", "--admin", "--must-change-password=false", "--username", f.admin.Name,
		"--password", f.admin.password, "--email", f.admin.Name+"@example.com").CombinedOutput()
	if err != nil {
		f.Stop()
		return nil, fmt.Errorf("create administrator of the forge: %w\n%s", err, out)
	}
	return f, nil
}

func (f *Forge) config() string { return filepath.Join(f.dir, "app.ini") }

// settings is what a small company's forge would have, but for what leaves the machine, and for passwords that are
// cheap to compare: https://docs.gitea.com/administration/config-cheat-sheet.
func (f *Forge) settings() string {
	host, port, _ := net.SplitHostPort(f.address)
	return fmt.Sprintf(`APP_NAME = Forge
RUN_MODE = prod
WORK_PATH = %[1]s
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = %[5]t
[server]
HTTP_ADDR = %[3]s
HTTP_PORT = %[4]s
ROOT_URL = %[2]s/
DISABLE_SSH = true
OFFLINE_MODE = true
GRACEFUL_HAMMER_TIME = 3s
[database]
DB_TYPE = sqlite3
PATH = %[1]s/gitea.db
SQLITE_JOURNAL_MODE = WAL
[repository]
ROOT = %[1]s/repositories
[security]
INSTALL_LOCK = true
SECRET_KEY = %[6]s
PASSWORD_HASH_ALGO = pbkdf2$1000$50
SUCCESSFUL_TOKENS_CACHE_SIZE = 1000
[service]
DISABLE_REGISTRATION = true
[webhook]
ALLOWED_HOST_LIST = loopback
SKIP_TLS_VERIFY = true
[log]
MODE = console
COLORIZE = false
[log.console]
COLORIZE = false
[indexer]
ISSUE_INDEXER_TYPE = db
[actions]
ENABLED = false
[packages]
ENABLED = false
[cron.update_checker]
ENABLED = false
`, f.dir, f.URL, host, port, os.Getuid() == 0, rand.Text())
}

// command is the program with its configuration. A user's own settings of Git are none of its business.
func (f *Forge) command(args ...string) *exec.Cmd {
	cmd := exec.Command(f.program, append(args, "--config", f.config())...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GIT_") || strings.HasPrefix(v, "GITEA_")
	})
	cmd.Dir, cmd.SysProcAttr = f.dir, own()
	return cmd
}

// Start starts the forge at its old address, and returns when its database answers too.
func (f *Forge) Start() error {
	log, err := os.OpenFile(f.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd, ended := f.command("web"), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start forge: %w", err)
	}
	go func() {
		_ = cmd.Wait() //nolint:errcheck // how it ended is in its log
		close(ended)
	}()
	f.cmd, f.ended = cmd, ended
	deadline := time.After(2 * time.Minute)
	for {
		err := f.healthy()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			f.cmd = nil
			return fmt.Errorf("start forge: it ended\n%s", Tail(f.Log(), 20))
		case <-deadline:
			f.Stop()
			return fmt.Errorf("start forge: not within two minutes: %w\n%s", err, Tail(f.Log(), 20))
		case <-time.After(glance):
		}
	}
}

func (f *Forge) healthy() error {
	answer, err := (&http.Client{Timeout: 5 * time.Second}).Get(f.URL + "/api/healthz")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	var health struct {
		Status string `json:"status"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&health); err != nil {
		return err
	}
	if health.Status != "pass" {
		return errors.New("its health is " + health.Status)
	}
	return nil
}

// Stop ends the forge. One that does not run stays so.
func (f *Forge) Stop() {
	if f.cmd == nil {
		return
	}
	_ = syscall.Kill(f.cmd.Process.Pid, syscall.SIGTERM) // it ends its children itself
	select {
	case <-f.ended:
	case <-time.After(10 * time.Second):
	}
	_ = syscall.Kill(-f.cmd.Process.Pid, syscall.SIGKILL)
	<-f.ended
	f.cmd = nil
}

// PID is the running forge's process.
func (f *Forge) PID() int { return f.cmd.Process.Pid }

func (f *Forge) logFile() string { return filepath.Join(f.dir, "log") }

// Log is all that the forge has written since it was first started.
func (f *Forge) Log() string {
	text, err := os.ReadFile(f.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text)
}
