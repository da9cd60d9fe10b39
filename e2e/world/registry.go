package world

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
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

	"golang.org/x/crypto/bcrypt"
)

// Registry is a real one, Distribution, on loopback, with TLS by an authority of its own and a password.
type Registry struct {
	// Address is host:port; it stays the same when the registry is stopped and started again.
	Address        string
	User, Password string
	Authority      *Authority

	program, dir string
	client       *http.Client
	cmd          *exec.Cmd
}

// StartRegistry starts one that is the story's own.
func (s *Story) StartRegistry(t testing.TB) *Registry {
	t.Helper()
	program, err := binary(s.Root, "e2e/bin/registry")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(s.Dir, "registry")
	r := &Registry{
		Address: freeAddress(t), User: "robot", Password: rand.Text(), Authority: NewAuthority(t, filepath.Join(dir, "tls")), program: program, dir: dir,
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(r.Authority.CA))
	r.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}
	hash, err := bcrypt.GenerateFromPassword([]byte(r.Password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"htpasswd": r.User + ":" + string(hash) + "\n",
		"config.yml": fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %[1]s/data}}
http: {addr: "%[2]s", tls: {certificate: %[3]s, key: %[4]s}}
auth: {htpasswd: {realm: registry, path: %[1]s/htpasswd}}
`, dir, r.Address, r.Authority.CertFile, r.Authority.KeyFile),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r.Start(t)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log")) //nolint:errcheck // only to say more
			t.Logf("the registry's last words:\n%s", Tail(string(log), 20))
		}
		r.Stop(t)
	})
	return r
}

// Start starts it at its old address and returns when it answers.
func (r *Registry) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(r.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(r.program, "serve", filepath.Join(r.dir, "config.yml"))
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = r.dir, log, log, own()
	if err := cmd.Start(); err != nil {
		t.Fatalf("start registry: %v", err)
	}
	r.cmd = cmd
	Await(t, Patience, "the registry answers", func() error {
		_, _, err := r.ask(http.MethodGet, "/v2/", "", nil)
		return err
	})
}

// Stop ends the registry. One that does not run stays so.
func (r *Registry) Stop(t testing.TB) {
	t.Helper()
	if r.cmd == nil {
		return
	}
	_ = syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
	_ = r.cmd.Wait() //nolint:errcheck // it was killed
	r.cmd = nil
}

// URL of a folder of repositories, as sluice.yaml has it.
func (r *Registry) URL(folder string) string { return "oci://" + r.Address + "/" + folder }

// Secret is what an agent needs to get in.
func (r *Registry) Secret() map[string]string {
	return map[string]string{"username": r.User, "password": r.Password, "ca.crt": r.Authority.CA}
}

// Push publishes a chart under a tag, as `helm push` does.
func (r *Registry) Push(t testing.TB, folder, name, version string, archive []byte) {
	t.Helper()
	at := "/v2/" + folder + "/" + name
	config := []byte(`{"name":"` + name + `","version":"` + version + `","apiVersion":"v2"}`)
	for _, blob := range [][]byte{archive, config} {
		_, header, err := r.ask(http.MethodPost, at+"/blobs/uploads/", "", nil)
		if err != nil {
			t.Fatal(err)
		}
		to := strings.TrimPrefix(header.Get("Location"), "https://"+r.Address)
		sign := "?"
		if strings.Contains(to, "?") {
			sign = "&"
		}
		if _, _, err := r.ask(http.MethodPut, to+sign+"digest=sha256:"+SHA256(blob), "application/octet-stream", blob); err != nil {
			t.Fatal(err)
		}
	}
	const manifest = "application/vnd.oci.image.manifest.v1+json"
	text := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.cncf.helm.config.v1+json","digest":"sha256:%s","size":%d},`+
		`"layers":[{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip","digest":"sha256:%s","size":%d}]}`,
		manifest, SHA256(config), len(config), SHA256(archive), len(archive))
	if _, _, err := r.ask(http.MethodPut, at+"/manifests/"+version, manifest, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// Tamper replaces what the registry has under the digest of an archive, as somebody who got into its storage would.
func (r *Registry) Tamper(t testing.TB, archive, instead []byte) {
	t.Helper()
	sum := SHA256(archive)
	file := filepath.Join(r.dir, "data/docker/registry/v2/blobs/sha256", sum[:2], sum, "data")
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, instead, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask makes a request as the user; another answer than a good one is an error.
func (r *Registry) ask(method, path, kind string, body []byte) ([]byte, http.Header, error) {
	req, err := http.NewRequest(method, "https://"+r.Address+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	req.SetBasicAuth(r.User, r.Password)
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	answer, err := r.client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = errors.New(method + " " + path + ": " + answer.Status + " " + string(text))
	}
	return text, answer.Header, err
}
