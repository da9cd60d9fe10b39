package config_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// write makes a file in a new folder and returns its path.
func write(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// kubeconfig has a cluster, a user and two contexts.
func kubeconfig(cluster, user string) string {
	return `apiVersion: v1
kind: Config
current-context: here
contexts:
  - {name: here, context: {cluster: c, user: u}}
  - {name: there, context: {cluster: d, user: u, namespace: ns}}
clusters:
  - {name: c, cluster: {server: "https://c.example.com"` + cluster + `}}
  - {name: d, cluster: {server: "https://d.example.com"}}
users:
  - {name: u, user: {token: hunter2}}
  - {name: v, user: {` + user + `}}
`
}

func TestRestConfig(t *testing.T) {
	file := write(t, "kubeconfig", kubeconfig(", certificate-authority-data: "+base64.StdEncoding.EncodeToString([]byte("PEM")), "token: x"))
	for context, host := range map[string]string{"": "https://c.example.com", "there": "https://d.example.com"} {
		got, err := config.RestConfig(config.ClusterRef{Kubeconfig: file, Context: context})
		if err != nil || got.Host != host || got.BearerToken != "hunter2" || got.ExecProvider != nil || got.BearerTokenFile != "" {
			t.Errorf("context %q: %v, %v", context, got, err)
		}
	}
	_, err := config.RestConfig(config.ClusterRef{Kubeconfig: file, Context: "nowhere"})
	if want := `has no context "nowhere" (it has: here, there)`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("unknown context: %v", err)
	}
	if _, err := config.RestConfig(config.ClusterRef{}); err == nil || !strings.HasPrefix(err.Error(), "reach the cluster that the agent runs in: ") {
		t.Errorf("in no cluster: %v", err)
	}
	for name, content := range map[string]string{
		"garbage": "hunter2: {{{", "empty": "", "none": "apiVersion: v1\nkind: Config\n", "large": strings.Repeat("#", 1<<20+1),
	} {
		_, err := config.RestConfig(config.ClusterRef{Kubeconfig: write(t, name, content)})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for content, want := range map[string]string{
		"contexts: [{name: a, context: {user: 7}}]": "must not be a number", "users:\n  - [hunter2\n": "it is not YAML: line 2",
	} {
		_, err := config.RestConfig(config.ClusterRef{Kubeconfig: write(t, "kubeconfig", content)})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want %q", content, err, want)
		}
	}
	if _, err := config.RestConfig(config.ClusterRef{Kubeconfig: t.TempDir()}); err == nil {
		t.Error("a folder is read")
	}
}

func TestLesson34_KubeconfigsWithExecOrFiles(t *testing.T) {
	cases := map[string]struct {
		reason, cluster, user, want string
	}{
		"Exec":      {"it would run a program", "", "exec: {apiVersion: client.authentication.k8s.io/v1, command: /bin/sh, interactiveMode: Never}", `user "v": exec is refused`},
		"Provider":  {"it would call a plugin", "", "auth-provider: {name: gcp}", `user "v": auth-provider is refused`},
		"Cert":      {"it would read a file", "", "client-certificate: /etc/x", `user "v": client-certificate is refused`},
		"Key":       {"it would read a file", "", "client-key: ../x", `user "v": client-key is refused`},
		"TokenFile": {"it would read a file", "", "tokenFile: /var/run/secrets/token", `user "v": tokenFile is refused`},
		"Authority": {"it would read a file", ", certificate-authority: /etc/ca", "token: x", `cluster "c": certificate-authority is refused`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			// The context does not even use the user: the file is refused whole.
			_, err := config.RestConfig(config.ClusterRef{Kubeconfig: write(t, "kubeconfig", kubeconfig(c.cluster, c.user)), Context: "here"})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: got %v, want %q", c.reason, err, c.want)
			}
		})
	}
	_, err := config.RestConfig(config.ClusterRef{Kubeconfig: write(t, "kubeconfig", kubeconfig(", certificate-authority: a", "client-key: b, tokenFile: c"))})
	if err == nil || strings.Count(err.Error(), "is refused") != 3 {
		t.Errorf("not all are said at once: %v", err)
	}
}

func TestLoadCredentials(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"username": "robot\n", "password": " p w \r\n", "ssh-privatekey": "PEM\n", "known_hosts": "host key\n", "other": "x", "ca.crt": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := config.LoadCredentials(dir)
	want := map[string][]byte{"username": []byte("robot"), "password": []byte(" p w "), "identity": []byte("PEM\n"), "known_hosts": []byte("host key\n"), "ca.crt": {}}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := config.LoadCredentials(t.TempDir()); err == nil || !strings.Contains(err.Error(), "none of the keys username, password") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := config.LoadCredentials(filepath.Dir(write(t, "token", strings.Repeat("x", 1<<20+1)))); err == nil || strings.Contains(err.Error(), "xxx") {
		t.Errorf("a large value: %v", err)
	}
	if _, err := config.PickCredentials(map[string][]byte{"token": make([]byte, 1<<20+1)}); err == nil {
		t.Error("a large value is taken")
	}
	both, err := config.PickCredentials(map[string][]byte{"identity": []byte("a"), "ssh-privatekey": []byte("b")})
	if err != nil || !cmp.Equal(both, map[string][]byte{"identity": []byte("a")}) {
		t.Errorf("both keys: %q, %v", both, err)
	}
}

func TestLoadAgent(t *testing.T) {
	file := write(t, "agent.yaml", `apiVersion: sluice.dev/v1alpha1
kind: Agent
metadata: {name: a}
dataDir: cache
repositories: [{name: r, url: "git@h:r", credentials: {directory: git}, forge: {kind: github, token: {directory: ./token}}},
  {name: app, url: "https://h/o/app", forge: {kind: github, app: {id: 1, privateKey: {directory: key}}}}]
environments: [{name: a, cluster: {kubeconfig: ./k}}, {name: b, cluster: {kubeconfig: /etc/k}}, {name: c}]
`)
	a, err := config.LoadAgent(file)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(file)
	got := []string{a.DataDir, a.Repositories[0].Credentials.Directory, a.Environments[0].Cluster.Kubeconfig, a.Environments[1].Cluster.Kubeconfig, a.Environments[2].Cluster.Kubeconfig}
	got = append(got, a.Repositories[0].Forge.Token.Directory, a.Repositories[1].Forge.App.PrivateKey.Directory)
	want := []string{filepath.Join(dir, "cache"), filepath.Join(dir, "git"), filepath.Join(dir, "k"), "/etc/k", "", filepath.Join(dir, "token"), filepath.Join(dir, "key")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths do not start at the file's folder (-want +got):\n%s", diff)
	}
	if _, err := config.LoadAgent(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there is loaded")
	}
	if _, err := config.LoadAgent(write(t, "bad.yaml", "kind: Agent\nx: 1\n")); err == nil || !strings.Contains(err.Error(), "bad.yaml: line 2: x: is not a known key") {
		t.Errorf("a bad file: %v", err)
	}
}
