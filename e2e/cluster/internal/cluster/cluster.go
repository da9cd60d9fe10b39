package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/process"
)

// ErrNotUp says that the folder holds no cluster.
var ErrNotUp = errors.New("no cluster is up")

// Cluster is the folder of one cluster, locked. It must not be used concurrently.
type Cluster struct {
	dir      string
	program  string // this program's file: what every component runs
	progress io.Writer
	lock     *os.File
	state    state
	// started holds the components that this run of the program has started.
	started map[string]*process.Child
}

// state is what cluster.json holds.
type state struct {
	Nodes      int `json:"nodes"`
	APIPort    int `json:"apiPort"`
	ClientPort int `json:"etcdClientPort"`
	PeerPort   int `json:"etcdPeerPort"`
	KwokPort   int `json:"kwokPort"`
}

// Open locks the cluster in dir, which is created where it is missing, and waits while another holds the lock.
// Progress is told to w.
func Open(dir string, w io.Writer) (*Cluster, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program's file: %w", err)
	}
	lock, err := lockFolder(dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, program: program, progress: w, lock: lock, started: map[string]*process.Child{}}
	if err := c.load(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return c, nil
}

// lockFolder creates and locks dir. Whoever held the lock may have removed the folder meanwhile; then there is
// another to lock.
func lockFolder(dir string) (*os.File, error) {
	for {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		lock, err := os.Open(dir)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			_ = lock.Close()
			return nil, fmt.Errorf("lock %q: %w", dir, err)
		}
		locked, err := lock.Stat()
		if err != nil {
			_ = lock.Close()
			return nil, err
		}
		if present, err := os.Stat(dir); err == nil && os.SameFile(locked, present) {
			return lock, nil
		}
		_ = lock.Close()
	}
}

// Close gives the lock up; what runs goes on running. A folder in which nothing was made goes away.
func (c *Cluster) Close() error {
	if !c.exists() {
		_ = os.Remove(c.dir) // keeps one that is not empty
	}
	return c.lock.Close()
}

// Kubeconfig is the path of the administrator's kubeconfig.
func (c *Cluster) Kubeconfig() string { return c.path("kubeconfig") }

func (c *Cluster) path(elements ...string) string {
	return filepath.Join(append([]string{c.dir}, elements...)...)
}

func (c *Cluster) say(format string, args ...any) {
	_, _ = fmt.Fprintf(c.progress, format+"\n", args...)
}

// exists says whether a cluster was made here, running or not.
func (c *Cluster) exists() bool { return c.state.APIPort != 0 }

func (c *Cluster) load() error {
	b, err := os.ReadFile(c.path("cluster.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, &c.state); err != nil {
		return fmt.Errorf("read %q: %w", c.path("cluster.json"), err)
	}
	return nil
}

func (c *Cluster) save() error {
	b, err := json.Marshal(c.state)
	if err != nil {
		return err
	}
	return os.WriteFile(c.path("cluster.json"), append(b, '\n'), 0o644)
}
