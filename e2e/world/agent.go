package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// Config is agent.yaml, as far as stories write it.
type Config struct {
	APIVersion     string             `json:"apiVersion"`
	Kind           string             `json:"kind"`
	Metadata       map[string]string  `json:"metadata"`
	StateNamespace string             `json:"stateNamespace"`
	DataDir        string             `json:"dataDir"`
	Listen         string             `json:"listen"`
	Dashboard      map[string]any     `json:"dashboard"`
	Webhooks       map[string]any     `json:"webhooks,omitempty"`
	Repositories   []ConfigRepository `json:"repositories"`
	Environments   []map[string]any   `json:"environments"`
	Permissions    []map[string]any   `json:"permissions"`
	Providers      []map[string]any   `json:"providers,omitempty"`
	Charts         []map[string]any   `json:"charts,omitempty"`
	Keys           []map[string]any   `json:"keys,omitempty"`
	Links          map[string]string  `json:"links,omitempty"`
	Render         map[string]any     `json:"render,omitempty"`
}

// ConfigRepository is a repository in agent.yaml.
type ConfigRepository struct {
	Name         string         `json:"name"`
	URL          string         `json:"url"`
	Path         string         `json:"path,omitempty"`
	Applications map[string]any `json:"applications,omitempty"`
	Poll         map[string]any `json:"poll,omitempty"`
	Credentials  map[string]any `json:"credentials,omitempty"`
	WriteBack    map[string]any `json:"writeBack,omitempty"`
	Forge        map[string]any `json:"forge,omitempty"`
	Webhook      map[string]any `json:"webhook,omitempty"`
}

// Agent is an agent, running or not. Its data, its log and its ports stay the same when it is started again.
type Agent struct {
	Config Config
	// Dir has agent.yaml, kubeconfig, agent.log and the mirrors.
	Dir string
	// Flags of the command line, besides those for the files, and what the environment has besides the story's own.
	Flags, Environ []string

	program string
	cmd     *exec.Cmd
	ended   chan error
}

// NewAgent prepares an agent with its state in a namespace of examples/install's making. It serves staging and
// production of the repositories, as the shop's service account, in the story's two namespaces.
func (s *Story) NewAgent(t testing.TB, name, system string, repos ...*Repo) *Agent {
	t.Helper()
	a := &Agent{program: s.Sluice, Dir: filepath.Join(s.Dir, "agent-"+name)}
	if err := os.MkdirAll(a.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	a.Config = Config{
		APIVersion: "sluice.dev/v1alpha1", Kind: "Agent", Metadata: map[string]string{"name": name},
		StateNamespace: system, DataDir: filepath.Join(a.Dir, "data"), Listen: freeAddress(t),
		Dashboard:    map[string]any{"listen": freeAddress(t)},
		Environments: []map[string]any{{"name": "staging"}, {"name": "production"}},
		Permissions: []map[string]any{{
			"applications": []string{"*"}, "serviceAccount": s.Apps + "/shop",
			"namespaces": []string{s.Staging, s.Production},
		}},
	}
	for _, r := range repos {
		s.Credentials(t, system, "git-"+r.Name, r.User, r.Password)
		a.Config.Repositories = append(a.Config.Repositories, ConfigRepository{
			Name: r.Name, URL: r.URL, Poll: map[string]any{"interval": "300ms"},
			WriteBack:   map[string]any{"interval": "300ms"},
			Credentials: map[string]any{"secret": "git-" + r.Name},
		})
	}
	if err := os.WriteFile(filepath.Join(a.Dir, "kubeconfig"), s.Kubeconfig(t, system, "sluice"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Kill9(t) })
	return a
}

// NewRival prepares another agent for the same environments, with a state namespace and an account of its own.
func (s *Story) NewRival(t testing.TB, name string) *Agent {
	t.Helper()
	system := s.Name + "-" + name
	names := s.Names()
	names["sluice-system"] = system
	rival := *s
	rival.Name += "-" + name
	rival.Install(t, names)
	return rival.NewAgent(t, rival.Name, system, s.Repo)
}

// NewReplica prepares a second process of an agent: the same name, account and state, other data and another port.
func (s *Story) NewReplica(t testing.TB, a *Agent) *Agent {
	t.Helper()
	replica := s.NewAgent(t, a.Config.Metadata["name"]+"-replica", a.Config.StateNamespace, s.Repo)
	replica.Config.Metadata = a.Config.Metadata
	return replica
}

// Credentials writes the Secret from which an agent takes user name and password.
func (s *Story) Credentials(t testing.TB, namespace, name, user, password string) {
	t.Helper()
	s.Secret(t, namespace, name, map[string]string{"username": user, "password": password})
}

// Secret writes a Secret for an agent.
func (s *Story) Secret(t testing.TB, namespace, name string, values map[string]string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, StringData: values}
	secrets := s.Cluster.Core.CoreV1().Secrets(namespace)
	_, err := secrets.Create(t.Context(), secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatalf("write credentials: %v", err)
	}
}

// Start starts the agent with the present Config and returns when it answers on its port.
func (a *Agent) Start(t testing.TB) {
	t.Helper()
	a.Launch(t)
	Await(t, 30*time.Second, "the agent answers", func() error {
		select {
		case err := <-a.ended:
			a.ended <- err
			t.Fatalf("the agent ended: %v\n%s", err, Tail(a.Log(t), 20))
		default:
		}
		_, err := a.Get("/healthz")
		return err
	})
}

// Launch starts the agent and does not wait.
func (a *Agent) Launch(t testing.TB) {
	t.Helper()
	if a.cmd != nil {
		t.Fatal("the agent runs already")
	}
	config := filepath.Join(a.Dir, "agent.yaml")
	text, err := yaml.Marshal(a.Config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, text, 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(a.Dir, "agent.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	args := append([]string{"agent", "--config", config, "--kubeconfig", filepath.Join(a.Dir, "kubeconfig")}, a.Flags...)
	cmd := exec.Command(a.program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = a.Dir, log, log, append(os.Environ(), a.Environ...)
	cmd.SysProcAttr = own()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start agent: %v", err)
	}
	a.cmd, a.ended = cmd, make(chan error, 1)
	go func(ended chan<- error) { ended <- cmd.Wait() }(a.ended)
}

// Kill9 ends the agent and its children at once. One that does not run stays so.
func (a *Agent) Kill9(t testing.TB) { a.end(t, syscall.SIGKILL) }

// Stop asks the agent to end, as Kubernetes would, and waits for it.
func (a *Agent) Stop(t testing.TB) { a.end(t, syscall.SIGTERM) }

func (a *Agent) end(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if a.cmd == nil {
		return
	}
	_ = syscall.Kill(-a.cmd.Process.Pid, signal)
	select {
	case <-a.ended: //nolint:errcheck // how it ended is in its log
	case <-time.After(30 * time.Second):
		_ = syscall.Kill(-a.cmd.Process.Pid, syscall.SIGKILL)
		t.Errorf("the agent did not end within 30 s of %v", signal)
	}
	a.cmd = nil
}

// PID is the running agent's process, and its process group.
func (a *Agent) PID() int { return a.cmd.Process.Pid }

// Log is all that the agent has written since it was first started.
func (a *Agent) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(a.Dir, "agent.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// LogSince is what the agent has written from this place of its log on, and where that ends.
func (a *Agent) LogSince(t testing.TB, from int64) (text string, end int64) {
	t.Helper()
	log, err := os.Open(filepath.Join(a.Dir, "agent.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	raw, err := io.ReadAll(io.NewSectionReader(log, from, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw), from + int64(len(raw))
}

// AwaitLog waits until a line of the log has all of the words, and returns it.
func (a *Agent) AwaitLog(t testing.TB, words ...string) string {
	t.Helper()
	var found string
	Await(t, Patience, fmt.Sprintf("the log says %q", words), func() error {
		for line := range strings.Lines(a.Log(t)) {
			if containsAll(line, words) {
				found = line
				return nil
			}
		}
		return errors.New("no such line")
	})
	return found
}

func containsAll(text string, words []string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

// Get asks the agent's own port.
func (a *Agent) Get(path string) (string, error) {
	client := &http.Client{Timeout: 5 * time.Second}
	answer, err := client.Get("http://" + a.Config.Listen + path)
	if err != nil {
		return "", err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", path, answer.Status, bytes.TrimSpace(text))
	}
	return string(text), nil
}

// CLI runs sluice in a folder and returns stdout, stderr and the exit status.
func (s *Story) CLI(t testing.TB, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	return s.CLIWith(t, nil, dir, args...)
}

// CLIWith is CLI with more in the environment.
func (s *Story) CLIWith(t testing.TB, environ []string, dir string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), s.Sluice, args...)
	cmd.Dir, cmd.Env = dir, slices.Concat(os.Environ(), noConfig, environ)
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("sluice %v: %v", args, err)
	}
	return out.String(), talk.String(), cmd.ProcessState.ExitCode()
}

// JSON parses what a command printed.
func JSON(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("parse %q: %v", text, err)
	}
}

// Tail is the last lines of a text.
func Tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// PublicKey is what the agent signs its notes with, once it has started: others are told it in their agent.yaml.
func (s *Story) PublicKey(t testing.TB, a *Agent) string {
	t.Helper()
	var key string
	Await(t, Patience, "the agent has a key", func() error {
		list, err := s.Cluster.Core.CoreV1().Secrets(a.Config.StateNamespace).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, secret := range list.Items {
			if key = string(secret.Data["public"]); key != "" {
				return nil
			}
		}
		return errors.New("no Secret has one")
	})
	return key
}
