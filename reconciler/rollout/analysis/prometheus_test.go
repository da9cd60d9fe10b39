package analysis_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

// exporter is what a Prometheus scrapes; the test drives its series.
type exporter struct {
	requests *prometheus.CounterVec
	latency  *prometheus.GaugeVec
	address  string
}

func newExporter(t *testing.T) *exporter {
	t.Helper()
	e := &exporter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "requests_total", Help: "x"}, []string{"pod", "code"}),
		latency:  prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "latency_seconds", Help: "x"}, []string{"pod"}),
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(e.requests, e.latency)
	server := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(server.Close)
	e.address = strings.TrimPrefix(server.URL, "http://")
	return e
}

// startPrometheus runs a Prometheus of the system, which scrapes an exporter five times a second, and returns its address.
func startPrometheus(t *testing.T, e *exporter) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Fatalf("there is no program prometheus: install Debian's package of that name, or run make test: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 200ms, scrape_timeout: 200ms}\n"+
		"scrape_configs: [{job_name: test, static_configs: [{targets: ['%s']}]}]\n", e.address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+address)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start Prometheus: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() //nolint:errcheck // it was killed
		log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name()) //nolint:errcheck // only talk
			t.Logf("Prometheus said:\n%s", said)
		}
	})
	return "http://" + address
}

// await asks until the answer is as wanted: scrapes take their time.
func await(t *testing.T, p *analysis.Prometheus, query string, want func(analysis.Answer, error) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := p.Ask(ctx, query)
		if want(answer, err) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: the last answer is %+v, %v", query, answer, err)
		case <-tick.C:
		}
	}
}

func has(value string) func(analysis.Answer, error) bool {
	return func(a analysis.Answer, err error) bool { return err == nil && a.Value == value }
}

// TestPrometheus asks a real Prometheus that scrapes a real exporter.
func TestPrometheus(t *testing.T) {
	e := newExporter(t)
	p := &analysis.Prometheus{Server: analysis.Server{URL: startPrometheus(t, e), Timeout: 5 * time.Second}}
	e.latency.WithLabelValues("web-1-a").Set(0.25)
	e.latency.WithLabelValues("web-1-b").Set(0.75)
	e.latency.WithLabelValues("web-0-c").Set(0.1)
	await(t, p, `latency_seconds{pod="web-1-a"}`, has("0.25"))
	t.Run("OnlyTheMatchedPods", func(t *testing.T) {
		await(t, p, `avg(latency_seconds{pod=~"web-1-a|web-1-b"})`, has("0.5"))
		await(t, p, `avg(latency_seconds{pod=~"web-0-c"})`, has("0.1"))
	})
	t.Run("ErrorRate", func(t *testing.T) {
		for range 5 { // a rate needs two scrapes with a difference
			e.requests.WithLabelValues("web-1-a", "500").Add(10)
			e.requests.WithLabelValues("web-1-a", "200").Add(10)
			await(t, p, `latency_seconds{pod="web-1-a"}`, has("0.25"))
		}
		query := `sum(requests_total{code="500",pod=~"web-1-a"}) / sum(requests_total{pod=~"web-1-a"})`
		await(t, p, query, has("0.5"))
	})
	t.Run("ALongListOfPods", func(t *testing.T) {
		pods := strings.Repeat("web-1-0123456789|", 2000) + "web-1-a"
		await(t, p, `sum(latency_seconds{pod=~"`+pods+`"})`, has("0.25"))
	})
	t.Run("Scalar", func(t *testing.T) { await(t, p, "scalar(sum(latency_seconds))", has("1.1")) })
	t.Run("Lesson16_NoSeriesIsNoValue", func(t *testing.T) {
		answer, err := p.Ask(t.Context(), `latency_seconds{pod="nobody"}`)
		if err != nil || answer.Value != "" || answer.Missing == "" {
			t.Errorf("it is %+v, %v", answer, err)
		}
	})
	t.Run("NothingDividedByNothing", func(t *testing.T) {
		await(t, p, `sum(requests_total{pod="web-1-a"} * 0) / sum(requests_total{pod="web-1-a"} * 0)`, has("NaN"))
	})
	for query, words := range map[string]string{
		"latency_seconds":     "3 series",
		"latency_seconds[1m]": "a matrix, not a value",
		`"text"`:              "a string, not a value",
		"sum(":                "parse error",
	} {
		t.Run(query, func(t *testing.T) {
			if _, err := p.Ask(t.Context(), query); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("the error is %v, want one with %q", err, words)
			}
		})
	}
}

// TestLesson10_UnreachableProviders: whatever a server does, the answer is an error in time that says what it was.
func TestLesson10_UnreachableProviders(t *testing.T) {
	hang := func(r *http.Request) { <-r.Context().Done() } // until the client gives up
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("an answer was followed to another host")
	}))
	defer elsewhere.Close()
	for name, tc := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"Hangs": {func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm(); hang(r) }, "it did not answer within 1s"},
		"HangsInBetween": {func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			fmt.Fprint(w, "{")
			w.(http.Flusher).Flush()
			hang(r)
		}, "it did not answer within 1s"},
		"IsBroken":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "it answers with status 502"},
		"IsAnother": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, "its answer is not that of a Prometheus"},
		"Refuses":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "it refuses the credentials (status 401)"},
		"LeadsElsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
			"it leads to another host, which is not followed"},
		"LeadsOn": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusTemporaryRedirect)
		}, "it leads on and on"},
		"IsEndless": {func(w http.ResponseWriter, _ *http.Request) {
			for range 1 << 10 {
				fmt.Fprint(w, strings.Repeat("x", 2<<10))
			}
		}, "its answer is larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tc.handle)
			t.Cleanup(server.Close)
			p := &analysis.Prometheus{Server: analysis.Server{URL: server.URL, Timeout: time.Second}}
			if _, err := p.Ask(t.Context(), "up"); err == nil || err.Error() != tc.want {
				t.Errorf("the error is %v, want %s", err, tc.want)
			}
		})
	}
	t.Run("IsDown", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		p := &analysis.Prometheus{Server: analysis.Server{URL: server.URL, Timeout: time.Second}}
		if _, err := p.Ask(t.Context(), "up"); err == nil || err.Error() != "connect: connection refused" {
			t.Errorf("the error is %v", err)
		}
	})
}
