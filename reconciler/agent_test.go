package reconciler

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// patience bounds how long a test waits for something that must happen.
const patience = 60 * time.Second

// land is a piece of the API server and a Git server, for agents that really run. Its name is that of the agent, of its
// namespace, and what the names of the applications' namespaces begin with.
type land struct {
	*testing.T
	name  string
	git   *gittest.Server
	core  kubernetes.Interface
	rules *config.Agent
	file  string // kubeconfig
	repo  string // whose notes are read
}

func newLand(t *testing.T, repositories ...string) *land {
	t.Helper()
	t.Parallel()
	if len(repositories) == 0 {
		repositories = []string{"shop"}
	}
	l := &land{T: t, git: gittest.New(t), repo: repositories[0], file: filepath.Join(t.TempDir(), "kubeconfig")}
	if err := os.WriteFile(l.file, serverFile, 0o600); err != nil {
		t.Fatal(err)
	}
	l.name, _ = newNamespace(t)
	l.rules = rules(t, l.git, l.name, "", repositories...)
	core, err := kubernetes.NewForConfig(server)
	if err != nil {
		t.Fatal(err)
	}
	l.core = core
	for _, env := range []string{"staging", "production"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: l.name + "-" + env}}
		if _, err := core.CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: l.name}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "deployer", Namespace: l.name}},
	}
	if _, err := core.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return l
}

// in is the same for a part of the test.
func (l *land) in(t *testing.T) *land {
	part := *l
	part.T = t
	return &part
}

// application is a sluice.yaml with both environments, or those that are named.
func (l *land) application(name, more string, environments ...string) string {
	if len(environments) == 0 {
		environments = []string{"staging"}
	}
	text := "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: " + name + "}\n" + more + "environments:\n"
	for _, env := range environments {
		text += fmt.Sprintf("- {name: %s, namespace: %s-%s, source: {directory: {path: deploy}}}\n", env, l.name, env)
	}
	return text
}

// process is an agent that runs.
type process struct {
	*land
	agent    *Agent
	registry *prometheus.Registry
	log      *journal
	stop     func() error // ends it, and returns what Run did
}

// start runs an agent. It is stopped at the end of the test.
func (l *land) start(identity string) *process {
	l.Helper()
	p := &process{land: l, registry: prometheus.NewRegistry(), log: &journal{}}
	var err error
	p.agent, err = New(Config{
		Agent: l.rules, Kubeconfig: l.file, Identity: identity, Registry: p.registry, Log: slog.New(slog.NewTextHandler(p.log, nil)),
	})
	if err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.Context()))
	done := make(chan error, 1)
	go func() { done <- p.agent.Run(ctx) }()
	p.stop = sync.OnceValue(func() error { cancel(); return <-done })
	l.Cleanup(func() {
		if err := p.stop(); err != nil {
			l.Errorf("the agent ended with %v", err)
		}
		if l.Failed() {
			l.Logf("the log of %s:\n%s", identity, p.log)
		}
	})
	return p
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (l *land) await(what string, probe func() error) {
	l.Helper()
	again, late := time.NewTicker(20*time.Millisecond), time.After(patience)
	defer again.Stop()
	for {
		err := probe()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-late:
			l.Fatalf("%s: %v", what, err)
		}
	}
}

// awaitLine waits for a line of a phase on a revision.
func (l *land) awaitLine(env, application, revision, phase string) record.Line {
	l.Helper()
	var found record.Line
	l.await(fmt.Sprintf("%s %s on %.7s of %s", application, phase, revision, env), func() error {
		for _, line := range l.lines(env, revision) {
			if line.Application == application && string(line.Phase) == phase {
				found = line
				return nil
			}
		}
		return fmt.Errorf("there is no such line")
	})
	return found
}

func (l *land) lines(env, revision string) (lines []record.Line) {
	l.Helper()
	ref := "refs/notes/sluice/" + env
	listed := l.git.Git(l.T, l.repo, "for-each-ref", ref)
	if listed == "" || !strings.Contains(l.git.Git(l.T, l.repo, "notes", "--ref="+ref, "list"), revision) {
		return nil
	}
	for _, text := range strings.Split(l.git.Git(l.T, l.repo, "notes", "--ref="+ref, "show", revision), "\n") {
		if line, err := record.ParseLine(text); err == nil {
			lines = append(lines, line)
		}
	}
	return lines
}

func (l *land) awaitValue(env, name, want string) {
	l.Helper()
	l.await(fmt.Sprintf("ConfigMap %s of %s has %q", name, env, want), func() error {
		live, err := l.core.CoreV1().ConfigMaps(l.name+"-"+env).Get(l.Context(), name, metav1.GetOptions{})
		if err == nil && live.Data["value"] != want {
			err = fmt.Errorf("it has %q", live.Data["value"])
		}
		return err
	})
}

// break deletes a live ConfigMap, as somebody with kubectl would.
func (l *land) breakIt(env, name string) {
	l.Helper()
	if err := l.core.CoreV1().ConfigMaps(l.name+"-"+env).Delete(l.Context(), name, metav1.DeleteOptions{}); err != nil {
		l.Fatal(err)
	}
}

// metric is the sum of a metric's samples that have all of these label values.
func (p *process) metric(name string, values ...string) (sum float64) {
	p.Helper()
	families, err := p.registry.Gather()
	if err != nil {
		p.Fatal(err)
	}
	for _, family := range families {
		for _, sample := range family.GetMetric() {
			if family.GetName() == name && has(sample, values) {
				sum += sample.GetCounter().GetValue() + sample.GetGauge().GetValue() + float64(sample.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func has(sample *dto.Metric, values []string) bool {
	for _, value := range values {
		found := false
		for _, label := range sample.GetLabel() {
			found = found || label.GetValue() == value
		}
		if !found {
			return false
		}
	}
	return true
}

// again makes a pass over a key and waits until it is over.
func (p *process) again(k Key) {
	p.Helper()
	before := p.metric("sluice_reconciles_total")
	p.agent.queue.Add(k)
	p.await("a pass over "+k.String(), func() error {
		if p.metric("sluice_reconciles_total") == before {
			return fmt.Errorf("there is none")
		}
		return nil
	})
}

func (l *land) secrets() []string {
	l.Helper()
	list, err := l.core.CoreV1().Secrets(l.name).List(l.Context(), metav1.ListOptions{LabelSelector: stateKind})
	if err != nil {
		l.Fatal(err)
	}
	var names []string
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	return names
}

// state reads the saved state of a key.
func (l *land) state(k Key) (Saved, string) {
	l.Helper()
	secret, err := l.core.CoreV1().Secrets(l.name).Get(l.Context(), StateName(k), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Saved{}, ""
	}
	var s Saved
	if err == nil {
		err = decode(secret.Data["state"], &s)
	}
	if err != nil {
		l.Fatal(err)
	}
	return s, secret.ResourceVersion
}
