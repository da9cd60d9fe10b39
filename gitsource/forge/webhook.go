package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
)

// Event is what a webhook tells of.
type Event string

// What is neither a push nor about a merge request need not wake anybody.
const (
	EventPush         Event = "push"
	EventMergeRequest Event = "merge-request"
	EventOther        Event = "other"
)

// Poke says that it is worth looking at a repository now. It is taken from the payload, which decides nothing: what is
// true is asked of Git and of the forge.
type Poke struct {
	Event      Event
	Repository string // its path, such as "owner/name"
	URL        string // its address for Git over HTTP; empty where it is not http or https
	Branch     string // that was pushed, or the source of the merge request; empty for tags
}

// MaxHook is the largest payload that is read. A push of GitHub's most, 2048 commits, is some 3 MB.
const MaxHook = 8 << 20

// Why a webhook is not heard. Neither says more, since the sender is anybody.
var (
	ErrSignature = errors.New("webhook is not signed with the secret")
	ErrPayload   = errors.New("webhook's payload makes no sense")
)

// ParseWebhook reads a payload after its signature was found right, and not a byte of it before. An empty secret
// verifies nothing.
func ParseWebhook(kind Kind, secret gitsource.Secret, header http.Header, body []byte) (Poke, error) {
	if !signed(kind, secret, header, body) {
		return Poke{}, ErrSignature
	}
	if kind == GitLab {
		return readGitLab(header, body)
	}
	return readGitHub(kind, header, body)
}

// signatureOf is the header in which each kind sends its proof, and what stands before it:
// https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries,
// https://docs.gitlab.com/user/project/integrations/webhooks/#validate-requests-by-using-a-secret-token and
// https://docs.gitea.com/usage/webhooks.
func signatureOf(kind Kind, header http.Header) (proof string) {
	switch kind {
	case GitHub:
		proof, _ = strings.CutPrefix(header.Get("X-Hub-Signature-256"), "sha256=")
	case GitLab:
		proof = header.Get("X-Gitlab-Token")
	case Gitea:
		proof = header.Get("X-Gitea-Signature")
	case Forgejo:
		if proof = header.Get("X-Forgejo-Signature"); proof == "" {
			proof = header.Get("X-Gitea-Signature")
		}
	}
	return proof
}

// signed compares in a time that tells nothing of the secret, its length included.
func signed(kind Kind, secret gitsource.Secret, header http.Header, body []byte) bool {
	proof := signatureOf(kind, header)
	if secret.Empty() || proof == "" {
		return false
	}
	if kind == GitLab {
		a, b := sha256.Sum256([]byte(proof)), sha256.Sum256([]byte(secret.Reveal()))
		return subtle.ConstantTimeCompare(a[:], b[:]) == 1
	}
	given, err := hex.DecodeString(proof)
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret.Reveal()))
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

// readGitHub reads what GitHub, Gitea and Forgejo send; the latter two follow the first:
// https://docs.github.com/webhooks/webhook-events-and-payloads.
func readGitHub(kind Kind, header http.Header, body []byte) (Poke, error) {
	event := header.Get("X-Github-Event")
	if kind.gitea() {
		event = header.Get("X-Gitea-Event")
		if event == "" {
			event = header.Get("X-Forgejo-Event")
		}
	}
	if media, _, err := mime.ParseMediaType(header.Get("Content-Type")); err == nil && media == "application/x-www-form-urlencoded" {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return Poke{}, ErrPayload
		}
		body = []byte(form.Get("payload"))
	}
	var said struct {
		Ref        string `json:"ref"`
		Repository struct {
			FullName string `json:"full_name"`
			CloneURL string `json:"clone_url"`
		} `json:"repository"`
		PullRequest struct {
			Head struct {
				Ref string `json:"ref"`
			} `json:"head"`
		} `json:"pull_request"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return Poke{}, ErrPayload
	}
	p := Poke{Event: EventOther, Repository: said.Repository.FullName, URL: link(said.Repository.CloneURL)}
	switch {
	case event == "push":
		p.Event, p.Branch = EventPush, branch(said.Ref)
	case strings.HasPrefix(event, "pull_request"): // reviews too
		p.Event, p.Branch = EventMergeRequest, said.PullRequest.Head.Ref
	}
	return p.checked()
}

// readGitLab follows https://docs.gitlab.com/user/project/integrations/webhook_events/.
func readGitLab(header http.Header, body []byte) (Poke, error) {
	var said struct {
		Ref     string `json:"ref"`
		Project struct {
			Path string `json:"path_with_namespace"`
			URL  string `json:"git_http_url"`
		} `json:"project"`
		Attributes struct {
			Source string `json:"source_branch"`
		} `json:"object_attributes"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return Poke{}, ErrPayload
	}
	p := Poke{Event: EventOther, Repository: said.Project.Path, URL: link(said.Project.URL)}
	switch header.Get("X-Gitlab-Event") {
	case "Push Hook":
		p.Event, p.Branch = EventPush, branch(said.Ref)
	case "Merge Request Hook":
		p.Event, p.Branch = EventMergeRequest, said.Attributes.Source
	}
	return p.checked()
}

func branch(ref string) string {
	name, ok := strings.CutPrefix(ref, "refs/heads/")
	if !ok {
		return ""
	}
	return name
}

// checked refuses what names no repository: there is nothing to look at.
func (p Poke) checked() (Poke, error) {
	if p.Event != EventOther && p.Repository == "" {
		return Poke{}, ErrPayload
	}
	return p, nil
}

// Webhook hears one forge's webhooks and calls poke for pushes and merge requests; poke must not wait. What has no
// signature at all is refused unread, and no more than four payloads are read at a time, since anybody can send them; the
// forge is told to come again. Limits of time are the server's.
func Webhook(kind Kind, secret func() (gitsource.Secret, error), poke func(Poke)) http.Handler {
	reading := make(chan struct{}, 4)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost:
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "webhooks are posted", http.StatusMethodNotAllowed)
			return
		case signatureOf(kind, r.Header) == "":
			http.Error(w, ErrSignature.Error(), http.StatusUnauthorized)
			return
		}
		select {
		case reading <- struct{}{}:
			defer func() { <-reading }()
		default:
			w.Header().Set("Retry-After", "10")
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		status, err := hear(kind, secret, poke, w, r)
		if err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

func hear(kind Kind, secret func() (gitsource.Secret, error), poke func(Poke), w http.ResponseWriter, r *http.Request) (int, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxHook))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, fmt.Errorf("webhook is larger than %d MiB", MaxHook>>20)
	case err != nil:
		return http.StatusBadRequest, ErrPayload
	}
	key, err := secret()
	if err != nil {
		return http.StatusServiceUnavailable, errors.New("the webhook's secret cannot be read")
	}
	p, err := ParseWebhook(kind, key, r.Header, body)
	switch {
	case errors.Is(err, ErrSignature):
		return http.StatusUnauthorized, err
	case err != nil:
		return http.StatusBadRequest, err
	}
	if p.Event != EventOther {
		poke(p)
	}
	return 0, nil
}
