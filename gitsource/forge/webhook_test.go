package forge_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

const hookSecret = "It's a Secret to Everybody"

func sign(body string) string {
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func TestParseWebhook(t *testing.T) {
	const (
		push    = `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop","clone_url":"https://github.com/acme/shop.git"}}`
		tag     = `{"ref":"refs/tags/v1","repository":{"full_name":"acme/shop","clone_url":"ext::sh -c evil"}}`
		pull    = `{"action":"closed","pull_request":{"head":{"ref":"b"}},"repository":{"full_name":"acme/shop"}}`
		labPush = `{"object_kind":"push","ref":"refs/heads/main","project":{"path_with_namespace":"a/b/shop","git_http_url":"https://gitlab.com/a/b/shop.git"}}`
		labPull = `{"object_kind":"merge_request","project":{"path_with_namespace":"a/b/shop"},"object_attributes":{"source_branch":"b"}}`
	)
	form := "payload=" + url.QueryEscape(push)
	for name, tc := range map[string]struct {
		doc    string
		kind   forge.Kind
		header http.Header
		body   string
		want   forge.Poke
		err    error
	}{
		"GitHubsOwnExample": {"https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation",
			forge.GitHub, headers("X-Hub-Signature-256", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"),
			"Hello, World!", forge.Poke{}, forge.ErrPayload}, // the signature is right, and it is no JSON
		"GitHubPush": {"https://docs.github.com/webhooks/webhook-events-and-payloads#push", forge.GitHub,
			headers("X-Hub-Signature-256", "sha256="+sign(push), "X-GitHub-Event", "push", "Content-Type", "application/json"), push,
			forge.Poke{Event: forge.EventPush, Repository: "acme/shop", URL: "https://github.com/acme/shop.git", Branch: "main"}, nil},
		"GitHubForm": {"https://docs.github.com/webhooks/using-webhooks/creating-webhooks", forge.GitHub,
			headers("X-Hub-Signature-256", "sha256="+sign(form), "X-GitHub-Event", "push", "Content-Type", "application/x-www-form-urlencoded"), form,
			forge.Poke{Event: forge.EventPush, Repository: "acme/shop", URL: "https://github.com/acme/shop.git", Branch: "main"}, nil},
		"GitHubTag": {"https://docs.github.com/webhooks/webhook-events-and-payloads#push", forge.GitHub,
			headers("X-Hub-Signature-256", "sha256="+sign(tag), "X-GitHub-Event", "push"), tag, forge.Poke{Event: forge.EventPush, Repository: "acme/shop"}, nil},
		"GitHubReview": {"https://docs.github.com/webhooks/webhook-events-and-payloads#pull_request_review", forge.GitHub,
			headers("X-Hub-Signature-256", "sha256="+sign(pull), "X-GitHub-Event", "pull_request_review"), pull,
			forge.Poke{Event: forge.EventMergeRequest, Repository: "acme/shop", Branch: "b"}, nil},
		"GitHubPing": {"https://docs.github.com/webhooks/webhook-events-and-payloads#ping", forge.GitHub,
			headers("X-Hub-Signature-256", "sha256="+sign("{}"), "X-GitHub-Event", "ping"), "{}", forge.Poke{Event: forge.EventOther}, nil},
		"GitHubNamesNothing": {"https://docs.github.com/webhooks/webhook-events-and-payloads#push", forge.GitHub,
			headers("X-Hub-Signature-256", "sha256="+sign("{}"), "X-GitHub-Event", "push"), "{}", forge.Poke{}, forge.ErrPayload},
		"GitLabPush": {"https://docs.gitlab.com/user/project/integrations/webhook_events/#push-events", forge.GitLab,
			headers("X-Gitlab-Token", hookSecret, "X-Gitlab-Event", "Push Hook"), labPush,
			forge.Poke{Event: forge.EventPush, Repository: "a/b/shop", URL: "https://gitlab.com/a/b/shop.git", Branch: "main"}, nil},
		"GitLabMergeRequest": {"https://docs.gitlab.com/user/project/integrations/webhook_events/#merge-request-events", forge.GitLab,
			headers("X-Gitlab-Token", hookSecret, "X-Gitlab-Event", "Merge Request Hook"), labPull,
			forge.Poke{Event: forge.EventMergeRequest, Repository: "a/b/shop", Branch: "b"}, nil},
		"GitLabWrongToken": {"https://docs.gitlab.com/user/project/integrations/webhooks/", forge.GitLab,
			headers("X-Gitlab-Token", hookSecret+"!", "X-Gitlab-Event", "Push Hook"), labPush, forge.Poke{}, forge.ErrSignature},
		"GiteaPush": {"https://docs.gitea.com/usage/webhooks", forge.Gitea, headers("X-Gitea-Signature", sign(push), "X-Gitea-Event", "push"), push,
			forge.Poke{Event: forge.EventPush, Repository: "acme/shop", URL: "https://github.com/acme/shop.git", Branch: "main"}, nil},
		"ForgejoPull": {"https://forgejo.org/docs/latest/user/webhooks/", forge.Forgejo,
			headers("X-Forgejo-Signature", sign(pull), "X-Forgejo-Event", "pull_request"), pull,
			forge.Poke{Event: forge.EventMergeRequest, Repository: "acme/shop", Branch: "b"}, nil},
		"AnotherForgesHeader": {"a Gitea's signature is not GitHub's", forge.GitHub, headers("X-Gitea-Signature", sign(push)), push, forge.Poke{}, forge.ErrSignature},
		"UnknownKind":         {"nobody's", "bitbucket", headers("X-Hub-Signature-256", "sha256="+sign(push)), push, forge.Poke{}, forge.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := forge.ParseWebhook(tc.kind, gitsource.NewSecret(hookSecret), tc.header, []byte(tc.body))
			if !errors.Is(err, tc.err) || tc.err == nil && err != nil {
				t.Errorf("error = %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s: %s", tc.doc, diff)
			}
			if _, err := forge.ParseWebhook(tc.kind, gitsource.Secret{}, tc.header, []byte(tc.body)); !errors.Is(err, forge.ErrSignature) {
				t.Errorf("without a secret: %v", err)
			}
		})
	}
}

// TestLesson35_SignatureBeforeParsing: an unsigned payload is not read, one with a wrong signature not parsed, a large
// one not taken, and a good one only pokes.
func TestLesson35_SignatureBeforeParsing(t *testing.T) {
	push := `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"}}`
	ping := `{"zen":"Keep it logically awesome."}`
	large := strings.Repeat(" ", forge.MaxHook+1)
	signature := "X-Hub-Signature-256"
	for name, tc := range map[string]struct {
		reason string
		method string
		header http.Header
		body   string
		status int
		says   string
		read   bool
		pokes  int
	}{
		"Good":        {"it pokes", "POST", headers(signature, "sha256="+sign(push), "X-GitHub-Event", "push"), push, 204, "", true, 1},
		"Ping":        {"nobody need wake for it", "POST", headers(signature, "sha256="+sign(ping), "X-GitHub-Event", "ping"), ping, 204, "", true, 0},
		"Unsigned":    {"not read", "POST", headers("X-GitHub-Event", "push"), push, 401, "webhook is not signed with the secret", false, 0},
		"OldSHA1":     {"not good enough", "POST", headers("X-Hub-Signature", "sha1=aa", "X-GitHub-Event", "push"), push, 401, "webhook is not signed with the secret", false, 0},
		"WrongBody":   {"not parsed, or it would say so", "POST", headers(signature, "sha256="+sign("x"), "X-GitHub-Event", "push"), `{"ref":`, 401, "webhook is not signed with the secret", true, 0},
		"NoHex":       {"no signature", "POST", headers(signature, "sha256=zz", "X-GitHub-Event", "push"), push, 401, "webhook is not signed with the secret", true, 0},
		"SignedChaff": {"signed by the forge, and still nonsense", "POST", headers(signature, "sha256="+sign("{"), "X-GitHub-Event", "push"), "{", 400, "webhook's payload makes no sense", true, 0},
		"Large":       {"whoever signed it", "POST", headers(signature, "sha256="+sign(large), "X-GitHub-Event", "push"), large, 413, "webhook is larger than 8 MiB", true, 0},
		"Get":         {"a person looked", "GET", headers(signature, "sha256="+sign(push)), push, 405, "webhooks are posted", false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			pokes := 0
			h := forge.Webhook(forge.GitHub, func() (gitsource.Secret, error) { return gitsource.NewSecret(hookSecret), nil }, func(p forge.Poke) {
				pokes++
				if p.Repository != "acme/shop" || p.Branch != "main" {
					t.Errorf("poke = %+v", p)
				}
			})
			body := &watched{r: strings.NewReader(tc.body)}
			r := httptest.NewRequest(tc.method, "/hook", body)
			r.Header = tc.header
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != tc.status || strings.TrimSpace(w.Body.String()) != tc.says || pokes != tc.pokes || (body.n > 0) != tc.read {
				t.Errorf("%s: %d %q, %d pokes, %d bytes read", tc.reason, w.Code, w.Body, pokes, body.n)
			}
			if body.n > forge.MaxHook+1 {
				t.Errorf("%d bytes were read", body.n)
			}
		})
	}
}

// watched is a body that knows how much of it was read.
type watched struct {
	r io.Reader
	n int
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.n += n
	return n, err
}

// TestWebhookCrowd: of many senders that sign anything and send slowly, only a few are read at a time.
func TestWebhookCrowd(t *testing.T) {
	secret := func() (gitsource.Secret, error) { return gitsource.NewSecret(hookSecret), nil }
	h := forge.Webhook(forge.Gitea, secret, func(forge.Poke) { t.Error("poked") })
	send := func(body io.Reader) int {
		r := httptest.NewRequest(http.MethodPost, "/hook", body)
		r.Header.Set("X-Gitea-Signature", "00")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	var ends []*io.PipeWriter
	done := make(chan int)
	for range 4 {
		r, w := io.Pipe()
		ends = append(ends, w)
		go func() { done <- send(r) }()
		if _, err := w.Write([]byte("{")); err != nil { // returns when it is read
			t.Fatal(err)
		}
	}
	if code := send(bytes.NewReader(nil)); code != http.StatusServiceUnavailable {
		t.Errorf("the fifth got %d, want 503", code)
	}
	for _, w := range ends {
		w.Close()
		if code := <-done; code != http.StatusUnauthorized {
			t.Errorf("one of the four got %d, want 401", code)
		}
	}
	if code := send(bytes.NewReader(nil)); code != http.StatusUnauthorized {
		t.Errorf("after them: %d, want 401", code)
	}
}

func FuzzParseWebhook(f *testing.F) {
	f.Add("push", `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"}}`)
	f.Add("Push Hook", `{"ref":1}`)
	f.Fuzz(func(t *testing.T, event, body string) {
		for _, kind := range []forge.Kind{forge.GitHub, forge.GitLab, forge.Gitea, forge.Forgejo} {
			h := headers("X-Hub-Signature-256", "sha256="+sign(body), "X-Gitea-Signature", sign(body), "X-Gitlab-Token", hookSecret,
				"X-GitHub-Event", event, "X-Gitea-Event", event, "X-Gitlab-Event", event)
			p, err := forge.ParseWebhook(kind, gitsource.NewSecret(hookSecret), h, []byte(body))
			if errors.Is(err, forge.ErrSignature) {
				t.Errorf("%s: %v", kind, err)
			}
			if err == nil && p.Event != forge.EventOther && p.Repository == "" || p.URL != "" && !strings.HasPrefix(p.URL, "http") {
				t.Errorf("%s: poke = %+v", kind, p)
			}
		}
	})
}
