package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// plain is a source with nothing in it.
type plain struct{ view.Source }

func (plain) Board(context.Context) (view.Board, error) { return view.Board{}, nil }

// guarded is a dashboard that agent.yaml describes, in a folder with the users ada and her password.
func guarded(t *testing.T, lines string) http.Handler {
	t.Helper()
	folder := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte("correct horse"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(folder, "people"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"people/users": "ada:" + string(hash) + "\n",
		"agent.yaml": `{apiVersion: sluice.dev/v1alpha1, kind: Agent, metadata: {name: berlin},
repositories: [{name: a, url: "https://git.example.com/acme/a"}], environments: [{name: production}], dashboard: {` + lines + `}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := config.LoadAgent(filepath.Join(folder, "agent.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	made := dashboard.Config{Source: plain{}}
	if err := guard(&made, rules.Dashboard, fromFolder, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	server, err := dashboard.New(made)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// TestGuard: what agent.yaml says is what is asked of who looks.
func TestGuard(t *testing.T) {
	login := func(password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth("ada", password) }
	}
	by := func(name string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-User", name) }
	}
	for name, tc := range map[string]struct {
		reason, lines, host string
		change              func(*http.Request)
		want                int
	}{
		"Loopback":       {"everybody on the machine", `listen: "127.0.0.1:8090"`, "localhost:8090", nil, 200},
		"Rebound":        {"and no page elsewhere", `listen: "127.0.0.1:8090"`, "x.example.com", nil, 421},
		"Anonymous":      {"everybody", `listen: ":8090", access: {anonymous: true}`, "10.0.0.7:8090", nil, 200},
		"AnonymousNamed": {"by a name that is said", `listen: ":8090", access: {anonymous: true, hosts: [status.example.com]}`, "status.example.com", nil, 200},
		"AnonymousOther": {"and by no other", `listen: ":8090", access: {anonymous: true}`, "x.example.com", nil, 421},
		"Basic":          {"who has the password", `listen: ":8090", access: {basic: {users: {directory: people}}}`, "x.example.com", login("correct horse"), 200},
		"BasicWrong":     {"who has another", `listen: ":8090", access: {basic: {users: {directory: people}}}`, "x.example.com", login("x"), 401},
		"BasicNobody":    {"who says nothing", `listen: ":8090", access: {basic: {users: {directory: people}}}`, "x.example.com", nil, 401},
		"BasicUnnamed":   {"whom sees does not name", `access: {basic: {users: {directory: people}}, sees: [{users: [lin], applications: [a]}]}`, "localhost", login("correct horse"), 403},
		"BasicNoUsers":   {"users in a cluster that is not asked", `access: {basic: {users: {secret: people}}}`, "localhost", login("correct horse"), 503},
		"Proxy":          {"from the proxy", `listen: ":8090", access: {proxy: {header: X-User, from: [192.0.2.0/24]}}`, "x.example.com", by("ada"), 200},
		"ProxyNobody":    {"from the proxy, about nobody", `listen: ":8090", access: {proxy: {header: X-User, from: [192.0.2.0/24]}}`, "x.example.com", by(""), 401},
		"ProxyElsewhere": {"from elsewhere", `listen: ":8090", access: {proxy: {header: X-User, from: [192.0.3.0/24]}}`, "x.example.com", by("ada"), 403},
		"OIDC": {"a program", `listen: ":8090", access: {oidc: {issuer: "https://login.example.com", clientID: a, clientSecret: {directory: people},
redirectURL: "https://sluice.example.com/auth/callback"}}`, "x.example.com", nil, 401},
		"Limits": {"how much is said too", `listen: ":8090", access: {anonymous: true, limits: {address: 1}}`, "10.0.0.7", nil, 429},
	} {
		t.Run(name, func(t *testing.T) {
			handler, last := guarded(t, tc.lines), 0
			for i := 0; i == 0 || tc.want == 429 && i < 5; i++ {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Host = tc.host
				if tc.change != nil {
					tc.change(r)
				}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				last = w.Code
			}
			if last != tc.want {
				t.Errorf("%s: %d, want %d", tc.reason, last, tc.want)
			}
		})
	}
}

// TestListenLongIsBounded: who sends headers without end is answered, and no page is made for them.
func TestListenLongIsBounded(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	stop, err := listenLong(t.Context(), address, guarded(t, ""), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for size, want := range map[int]int{1 << 10: http.StatusOK, 64 << 10: http.StatusRequestHeaderFieldsTooLarge} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", strings.Repeat("a", size))
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := answer.Body.Close(); err != nil || answer.StatusCode != want {
			t.Errorf("headers of %d bytes: %d, want %d (%v)", size, answer.StatusCode, want, err)
		}
	}
}

// TestFromFolder: a Secret needs a cluster.
func TestFromFolder(t *testing.T) {
	if _, err := fromFolder(t.Context(), config.Credentials{Secret: "a"}); err == nil || !strings.Contains(err.Error(), "say directory") {
		t.Errorf("a Secret is read without a cluster: %v", err)
	}
	if _, err := fromFolder(t.Context(), config.Credentials{Directory: t.TempDir()}); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}
