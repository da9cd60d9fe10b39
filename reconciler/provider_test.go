package reconciler

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// providers makes those of an agent.yaml with these lines.
func providers(t *testing.T, more string) map[string]*provider {
	t.Helper()
	git := gittest.New(t)
	a, err := New(Config{Agent: rules(t, git, "bed", more, "shop"), Identity: "bed", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return a.providers
}

// loaded gives a provider credentials that are in no Secret.
func (pr *provider) loaded(values map[string][]byte) (reads *atomic.Int64) {
	reads = &atomic.Int64{}
	pr.credentials.read = func(context.Context) (map[string][]byte, error) {
		reads.Add(1)
		return values, nil
	}
	return reads
}

// ask is what a provider says to an analysis.
func (pr *provider) ask(t *testing.T, of config.Analysis) policies.Reading {
	t.Helper()
	return pr.read(t.Context(), &question{target: &target{key: Key{"shop", "staging"}}, of: of, pods: func() (canary, stable []string, known bool) {
		return []string{"web-1-a"}, nil, true
	}})
}

// TestLesson36_CredentialsOfProvidersAreShownToOneHost: and to nobody by way of what that host says.
func TestLesson36_CredentialsOfProvidersAreShownToOneHost(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/away":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case r.Header.Get("Authorization") == "":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost: // as Prometheus explains a query
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"status": "error", "errorType": "bad_data", "error": "who sent %s?"}`, r.Header.Get("Authorization"))
		default:
			fmt.Fprintf(w, `{"said": %q}`, r.Header.Get("Authorization"))
		}
	}))
	defer server.Close()
	all := providers(t, fmt.Sprintf("providers: [{name: prometheus, prometheus: {url: '%[1]s'}, credentials: {secret: x}}, "+
		"{name: api, web: {url: '%[1]s'}, credentials: {secret: x}}]", server.URL))
	for name, values := range map[string]map[string][]byte{
		"Token":    {"token": []byte("hunter2-token")},
		"Password": {"username": []byte("agent"), "password": []byte("hunter2-password")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pr := range all {
				if pr.Name != "" {
					pr.loaded(values)
					pr.credentials.forget()
				}
			}
			for what, r := range map[string]policies.Reading{
				"a query": all["prometheus"].ask(t, config.Analysis{Query: "up"}),
				"a value": all["api"].ask(t, config.Analysis{Path: "/x", JSONPath: "{.said}"}),
				"a host":  all["api"].ask(t, config.Analysis{Path: "/away"}),
			} {
				said := fmt.Sprintf("%+v", r)
				secret := base64.StdEncoding.EncodeToString([]byte("agent:hunter2-password"))
				if strings.Contains(said, "hunter2") || strings.Contains(said, secret) {
					t.Errorf("%s shows the credentials: %s", what, said)
				}
				if (what == "a host") != strings.Contains(said, "it leads to another host") || what != "a host" && !strings.Contains(said, "<secret>") {
					t.Errorf("%s: it is %s", what, said)
				}
			}
		})
	}
}

// TestRefusedCredentialsAreReadAgain: somebody may have put others there.
func TestRefusedCredentialsAreReadAgain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer the new one" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	pr := providers(t, fmt.Sprintf("providers: [{name: api, web: {url: '%s'}, credentials: {secret: x}}]", server.URL))["api"]
	reads := pr.loaded(map[string][]byte{"token": []byte("the old one")})
	up := config.Analysis{Path: "/"}
	if r := pr.ask(t, up); r.Result != policies.NoAnswer || !strings.Contains(r.Says, "refuses the credentials") {
		t.Errorf("it is %+v", r)
	}
	pr.loaded(map[string][]byte{"token": []byte("the new one")})
	if r := pr.ask(t, up); r.Result != policies.Good || reads.Load() != 1 {
		t.Errorf("it is %+v after %d reads of the old ones", r, reads.Load())
	}
}

// TestQueriesWithoutPodsAreNotAsked: a matcher of nothing would match what has no pod.
func TestQueriesWithoutPodsAreNotAsked(t *testing.T) {
	pr := providers(t, "providers: [{name: prometheus, prometheus: {url: 'http://127.0.0.1:1'}}]")["prometheus"]
	r := pr.ask(t, config.Analysis{Query: `x{pod=~"{{.Stable}}"}`})
	if r.Result != policies.NoData || r.Says != "there are no pods for {{.Stable}}" {
		t.Errorf("it is %+v", r)
	}
}

// TestLesson32_OnlyProvidersOfTheAgentAreAsked: a release whose analysis names another is refused, with the reason.
func TestLesson32_OnlyProvidersOfTheAgentAreAsked(t *testing.T) {
	b := newBed(t)
	b.agent.config.Providers = []config.Provider{
		{Name: "metrics", Prometheus: &config.Address{URL: "http://127.0.0.1:1"}, Applications: []string{"orders"}},
		{Name: "api", Web: &config.Address{URL: "http://127.0.0.1:1"}, Applications: []string{"shop"}},
	}
	const measured = ", rollout: {canary: {}, analysis: [{name: a, provider: metrics, query: x, max: 1}, {name: b, provider: api, query: x, max: 1}, " +
		"{name: c, provider: api, path: /}]}"
	b.files(map[string]string{"shop/sluice.yaml": application("shop", measured), "shop/deploy/a.yaml": configMap("a", "1")})
	p := b.look(Key{"shop", "staging"})
	const want = `rollout.analysis[a].provider: agent.yaml has no provider "metrics" for application "shop"; ` +
		`rollout.analysis[b].provider: provider "api" takes paths, not queries`
	if p.Wanted.Refused.Reason != want || p.Wanted.Release != (policies.Release{}) {
		t.Errorf("it is refused with %q, and %+v is released", p.Wanted.Refused.Reason, p.Wanted.Release)
	}
	b.files(map[string]string{"shop/sluice.yaml": application("shop", ", rollout: {canary: {}, analysis: [{name: smoke, job: smoke}]}")})
	if p := b.look(Key{"shop", "staging"}); !strings.Contains(p.Wanted.Refused.Reason, "no Job has the annotation sluice.dev/analysis: smoke") {
		t.Errorf("without its Job it is refused with %q", p.Wanted.Refused.Reason)
	}
}
