package world

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Prometheus is a server of the system's package, on loopback, with its data in the story's folder.
type Prometheus struct {
	URL string

	program, dir, address string
	cmd                   *exec.Cmd
}

// StartPrometheus starts one that scrapes an exporter four times a second.
func (s *Story) StartPrometheus(t testing.TB, traffic *Traffic) *Prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("there is no program prometheus: run make e2e, or install Debian's package of that name: %v", err)
	}
	p := &Prometheus{program: program, dir: filepath.Join(s.Dir, "prometheus"), address: freeAddress(t)}
	p.URL = "http://" + p.address
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "global: {scrape_interval: 250ms, scrape_timeout: 250ms}\n" +
		"scrape_configs: [{job_name: shop, static_configs: [{targets: ['" + traffic.address + "']}]}]\n"
	if err := os.WriteFile(filepath.Join(p.dir, "prometheus.yml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Stop(t) })
	p.Start(t)
	return p
}

// Start starts it, at the same address as before, and returns when it answers.
func (p *Prometheus) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p.cmd = exec.Command(p.program, "--config.file="+filepath.Join(p.dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(p.dir, "data"), "--web.listen-address="+p.address)
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.SysProcAttr = log, log, own()
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start Prometheus: %v", err)
	}
	Await(t, Patience, "Prometheus answers", func() error {
		answer, err := (&http.Client{Timeout: time.Second}).Get(p.URL + "/-/ready")
		if err != nil {
			return err
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("it answers %s", answer.Status)
		}
		return nil
	})
}

// Stop ends it, if it runs.
func (p *Prometheus) Stop(t testing.TB) {
	t.Helper()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() //nolint:errcheck // it was killed
	p.cmd = nil
}
