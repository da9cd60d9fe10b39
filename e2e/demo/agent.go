package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const system = "sluice-system"

// startAgent runs the built program with the agent.yaml of examples/install, of which only the addresses and the pace
// are others, as the service account that examples/install makes.
func (d *demo) startAgent(ctx context.Context) error {
	listen, err := freeAddress()
	if err != nil {
		return err
	}
	if d.dashboard, err = freeAddress(); err != nil {
		return err
	}
	d.listen = listen
	config, err := d.agentConfig()
	if err != nil {
		return err
	}
	kubeconfig, err := d.cluster.kubeconfigOf(ctx, system, "sluice")
	if err != nil {
		return err
	}
	for name, text := range map[string][]byte{"agent.yaml": config, "agent.kubeconfig": kubeconfig} {
		if err := os.WriteFile(d.path(name), text, 0o600); err != nil {
			return err
		}
	}
	for _, app := range d.apps {
		if err := d.credentials(ctx, app); err != nil {
			return err
		}
	}
	log, err := os.Create(d.path("agent.log"))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(d.program("bin/sluice"), "agent", "--config", d.path("agent.yaml"), "--kubeconfig", d.path("agent.kubeconfig"))
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.dir, log, log
	if d.agent, err = startChild("agent", cmd); err != nil {
		return err
	}
	d.later("Ending the agent", d.agent.stop)
	return await(ctx, time.Minute, func() error {
		return errors.Join(d.alive(), answers(ctx, listen, "/readyz"), answers(ctx, d.dashboard, "/"))
	})
}

// agentConfig is examples/install/agent.yaml with the demo's addresses.
func (d *demo) agentConfig() ([]byte, error) {
	text, err := os.ReadFile(d.program("examples/install/agent.yaml"))
	if err != nil {
		return nil, err
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	config["listen"], config["dataDir"] = d.listen, d.path("data")
	config["dashboard"] = map[string]any{"listen": d.dashboard, "title": "Demo"}
	repositories, _ := config["repositories"].([]any)
	for _, r := range repositories {
		repository, ok := r.(map[string]any)
		name, isText := repository["name"].(string)
		if !ok || !isText {
			return nil, fmt.Errorf("examples/install/agent.yaml: a repository has no name")
		}
		repository["url"] = d.git.url(name)
		repository["poll"] = map[string]any{"interval": "500ms"}
		repository["writeBack"] = map[string]any{"interval": "500ms"}
	}
	return yaml.Marshal(config)
}

// credentials puts the Git server's user and password where agent.yaml says.
func (d *demo) credentials(ctx context.Context, app *application) error {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "git-" + app.name, Namespace: system},
		StringData: map[string]string{"username": user, "password": d.git.password},
	}
	_, err := d.cluster.core.CoreV1().Secrets(system).Create(ctx, secret, metav1.CreateOptions{})
	return err
}

// alive is an error when a program that should run has ended; the agent's comes with its last words.
func (d *demo) alive() error {
	if err := d.git.alive(); err != nil {
		return err
	}
	if d.agent == nil || d.agent.alive() == nil {
		return nil
	}
	return fmt.Errorf("%w\n%s", d.agent.alive(), d.lastWords())
}

// lastWords are the last lines of the agent's log.
func (d *demo) lastWords() string {
	text, err := os.ReadFile(d.path("agent.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// answers is nil when there is a page.
func answers(ctx context.Context, address, page string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+page, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the agent says at %s: %s", page, answer.Status)
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
