package reconciler

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource/gittest"
	"github.com/sluice-cd/sluice/reconciler/config"
)

const webhookKey = "a long word that only the forge and the agent know"

// hooked is an agent that does not run, with a webhook for its shop. Production follows a branch of its own.
func hooked(t *testing.T) *Agent {
	t.Helper()
	git := gittest.New(t)
	git.Commit(t, "shop", gittest.Change{Files: map[string]string{"shop/sluice.yaml": `
apiVersion: sluice.dev/v1alpha1
kind: Application
metadata: {name: shop}
environments:
- {name: staging, namespace: a, source: {directory: {path: a}}}
- {name: production, namespace: b, source: {directory: {path: a}}, follow: {branch: live}}
`}})
	git.Commit(t, "shop", gittest.Change{Branch: "live", Files: map[string]string{"a/a.yaml": ""}})
	key := t.TempDir()
	if err := os.WriteFile(filepath.Join(key, "token"), []byte(webhookKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	made := rules(t, git, "hooked", "", "shop", "plain")
	made.Repositories[0].Forge = &config.Forge{Kind: config.Gitea}
	made.Repositories[0].Webhook = &config.Webhook{Secret: config.Credentials{Directory: key}}
	agent, err := New(Config{Agent: made, Identity: "hooked", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.catalog.sources[0].poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return agent
}

// TestLesson35_WebhooksOnlyPoke: what is signed has somebody look, and nothing else of it counts.
func TestLesson35_WebhooksOnlyPoke(t *testing.T) {
	const in = `,"repository":{"full_name":"acme/shop"}`
	push := func(ref string) string { return `{"ref":"` + ref + `"` + in + `}` }
	request := func(branch string) string { return `{"pull_request":{"head":{"ref":"` + branch + `"}}` + in + `}` }
	type seen struct {
		Code        int
		Poll, Round bool
		Recalled    []Key
	}
	for name, tc := range map[string]struct {
		reason              string
		method, path, event string
		body, key           string
		want                seen
	}{
		"Branch":       {"the polled one", "POST", "/webhooks/shop", "push", push("refs/heads/main"), webhookKey, seen{Code: 204, Poll: true}},
		"Followed":     {"an environment is there", "POST", "/webhooks/shop", "push", push("refs/heads/live"), webhookKey, seen{Code: 204, Poll: true}},
		"Tag":          {"some follow a range", "POST", "/webhooks/shop", "push", push("refs/tags/v1"), webhookKey, seen{Code: 204, Poll: true}},
		"OtherBranch":  {"nothing follows it", "POST", "/webhooks/shop", "push", push("refs/heads/sluice/promote/shop/live"), webhookKey, seen{Code: 204}},
		"Promotion":    {"it may have been closed", "POST", "/webhooks/shop", "pull_request", request("sluice/promote/shop/live"), webhookKey, seen{204, false, true, []Key{{"shop", "live"}}}},
		"Revert":       {"the same", "POST", "/webhooks/shop", "pull_request", request("sluice/revert/shop/live"), webhookKey, seen{204, false, true, []Key{{"shop", "live"}}}},
		"OtherRequest": {"it is somebody else's", "POST", "/webhooks/shop", "pull_request", request("fix/the/prices"), webhookKey, seen{Code: 204}},
		"Star":         {"it tells nothing of Git", "POST", "/webhooks/shop", "watch", push("refs/heads/main"), webhookKey, seen{Code: 204}},
		"WrongKey":     {"nobody looks", "POST", "/webhooks/shop", "push", push("refs/heads/main"), "guessed", seen{Code: 401}},
		"Nonsense":     {"signed, and yet", "POST", "/webhooks/shop", "push", "{", webhookKey, seen{Code: 400}},
		"Unhooked":     {"a repository without a webhook", "POST", "/webhooks/plain", "push", push("refs/heads/main"), webhookKey, seen{Code: 404}},
		"Elsewhere":    {"there is nothing else", "POST", "/metrics", "push", push("refs/heads/main"), webhookKey, seen{Code: 404}},
		"Asked":        {"webhooks are posted", "GET", "/webhooks/shop", "push", "", webhookKey, seen{Code: 405}},
	} {
		t.Run(name, func(t *testing.T) {
			agent := hooked(t)
			mac := hmac.New(sha256.New, []byte(tc.key))
			mac.Write([]byte(tc.body))
			r := httptest.NewRequest(tc.method, tc.path, strings.NewReader(tc.body))
			r.Header.Set("X-Gitea-Event", tc.event)
			r.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
			w := httptest.NewRecorder()
			agent.Webhooks().ServeHTTP(w, r)
			p := agent.promoters[0]
			got := seen{w.Code, len(p.source.poked) > 0, len(p.poked) > 0, p.recalled}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestWebhookRecalls: who is recalled is due at once, unless the forge wants to be left alone.
func TestWebhookRecalls(t *testing.T) {
	p := hooked(t).promoters[0]
	later := time.Now().Add(time.Hour)
	well, ill := Key{"shop", "well"}, Key{"shop", "ill"}
	p.seen[well] = sight{moved: "a", next: later, said: "b"}
	p.seen[ill] = sight{moved: "a", next: later, tries: 3, said: "rate limit"}
	p.recall("sluice/promote/shop/well")
	p.recall("sluice/promote/shop/ill")
	p.due()
	want := map[Key]sight{well: {moved: "a", said: "b"}, ill: {moved: "a", next: later, tries: 3, said: "rate limit"}}
	if diff := cmp.Diff(want, p.seen, cmp.AllowUnexported(sight{})); diff != "" {
		t.Errorf("due (-want +got):\n%s", diff)
	}
	if p.due(); len(p.recalled) != 0 {
		t.Errorf("recalled for ever: %v", p.recalled)
	}
}

// TestWebhookWithoutKey: a secret that is not there lets nobody in, and is said.
func TestWebhookWithoutKey(t *testing.T) {
	agent := hooked(t)
	var log strings.Builder
	agent.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := os.Rename(filepath.Join(agent.config.Repositories[0].Webhook.Secret.Directory, "token"),
		filepath.Join(agent.config.Repositories[0].Webhook.Secret.Directory, "username")); err != nil {
		t.Fatal(err)
	}
	webhooks := agent.Webhooks()
	for range 3 {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/shop", strings.NewReader("{}"))
		mac := hmac.New(sha256.New, nil)
		mac.Write([]byte("{}"))
		r.Header.Set("X-Gitea-Event", "push")
		r.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
		w := httptest.NewRecorder()
		webhooks.ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || strings.Contains(w.Body.String(), webhookKey) {
			t.Errorf("answered %d: %s", w.Code, w.Body)
		}
	}
	if strings.Count(log.String(), "Webhook was not heard") != 1 || !strings.Contains(log.String(), "there is no token") {
		t.Errorf("the log says: %s", log.String())
	}
}
