package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// TestForgeIsReal: what stories ask of the forge is what its users live with: branches, merge requests, statuses,
// approvals, protection and webhooks. The forge is this story's own, since it is stopped.
func TestForgeIsReal(t *testing.T) {
	s := begin(t, "forge")
	forge := s.StartForge(t)
	p := forge.NewProject(t, s.Name, "shop", filepath.Join(s.Dir, "forged"))
	agent := p.As(p.Agent)
	p.Repo.Write(t, "price", "1\n")
	p.Repo.Commit(t, "The first price")
	propose := func(t *testing.T, price string) world.MergeRequest {
		t.Helper()
		p.Repo.Run(t, "checkout", "-q", "-B", "price-"+price)
		p.Repo.Write(t, "price", price+"\n")
		p.Repo.CommitOnly(t, "Price "+price)
		p.Repo.Run(t, "push", "-q", "origin", "price-"+price)
		p.Repo.Run(t, "checkout", "-q", "main")
		return agent.Propose(t, "price-"+price, "Price "+price, "It is time.")
	}
	price := func(t *testing.T, want string) {
		t.Helper()
		p.Repo.Run(t, "pull", "-q", "origin", "main")
		if got := p.Repo.Read(t, "price"); got != want+"\n" {
			t.Errorf("main has price %q, want %s", got, want)
		}
	}
	t.Run("AnAgentsTokenOpensAMergeRequest", func(t *testing.T) { forgeRequest(t, p, propose) })
	t.Run("EachStyleOfMerging", func(t *testing.T) { forgeStyles(t, p, propose, price) })
	t.Run("AMergeIsReverted", func(t *testing.T) {
		m := propose(t, "7")
		merged := p.Merge(t, m.Number, world.Merge)
		price(t, "7")
		p.Repo.Revert(t, merged, "-m", "1")
		price(t, "4")
	})
	t.Run("AProtectedBranchDemandsStatusAndApproval", func(t *testing.T) { forgeProtection(t, p, propose, price) })
	t.Run("AWebhookIsSigned", func(t *testing.T) { forgeWebhook(t, p) })
	t.Run("AForgeThatIsDownComesBackAsItWas", func(t *testing.T) {
		before := p.MergeRequests(t, "all")
		forge.Stop()
		if err := p.Try(http.MethodGet, "", nil, nil); err == nil {
			t.Error("a stopped forge answers")
		}
		if err := forge.Start(); err != nil {
			t.Fatal(err)
		}
		if after := p.MergeRequests(t, "all"); len(after) != len(before) || len(after) == 0 {
			t.Errorf("%d merge requests, before %d", len(after), len(before))
		}
	})
	t.Run("ARepositoryMoves", func(t *testing.T) { forgeMoves(t, s, p) })
	t.Run("AGateFailsForOneStoryAlone", func(t *testing.T) { forgeGate(t, p) })
}

func forgeRequest(t *testing.T, p *world.Project, propose func(*testing.T, string) world.MergeRequest) {
	m := propose(t, "2")
	if m.Author.Login != p.Agent.Name || m.State != "open" || m.Head.Ref != "price-2" || m.Base.Ref != "main" {
		t.Errorf("the merge request is %+v", m)
	}
	var no *world.RefusedError
	if err := p.As(p.Agent).Try(http.MethodPost, fmt.Sprintf("/issues/%d/comments", m.Number), map[string]any{"body": "I"}, nil); !errors.As(err, &no) || no.Code != http.StatusForbidden {
		t.Errorf("a token for the repository alone may comment: %v", err)
	}
	p.Comment(t, m.Number, "Why?")
	if got := p.Comments(t, m.Number); len(got) != 1 || got[0].Body != "Why?" || got[0].User.Login != p.Ada.Name {
		t.Errorf("the comments are %v", got)
	}
	p.Label(t, m.Number, "sluice/hold")
	if got := p.MergeRequest(t, m.Number).Labels; len(got) != 1 || got[0].Name != "sluice/hold" {
		t.Errorf("the labels are %v", got)
	}
	p.CloseMergeRequest(t, m.Number)
	if got := p.MergeRequest(t, m.Number); got.State != "closed" || got.Merged {
		t.Errorf("the closed one is %+v", got)
	}
	p.Reopen(t, m.Number)
	if open := p.MergeRequests(t, "open"); len(open) != 1 || open[0].Number != m.Number {
		t.Errorf("open are %v", open)
	}
	p.CloseMergeRequest(t, m.Number)
	p.DeleteBranch(t, "price-2")
	if at, err := p.Repo.Ref("refs/heads/price-2"); at != "" || err != nil {
		t.Errorf("the deleted branch is at %q: %v", at, err)
	}
}

// forgeStyles merges by each style, and counts the parents of what comes of it.
func forgeStyles(t *testing.T, p *world.Project, propose func(*testing.T, string) world.MergeRequest, price func(*testing.T, string)) {
	for _, style := range []struct {
		name, price string
		parents     int
	}{{world.Rebase, "3", 1}, {world.Squash, "5", 1}, {world.Merge, "4", 2}} {
		m := propose(t, style.price)
		main := p.Merge(t, m.Number, style.name)
		price(t, style.price)
		if got := len(strings.Fields(p.Repo.Run(t, "rev-list", "--parents", "-1", main))) - 1; got != style.parents {
			t.Errorf("%s: main has %d parents, want %d", style.name, got, style.parents)
		}
		if got := p.MergeRequest(t, m.Number); !got.Merged || got.Commit != main {
			t.Errorf("%s: the merged one is %+v, main %s", style.name, got, main)
		}
	}
}

func forgeProtection(t *testing.T, p *world.Project, propose func(*testing.T, string) world.MergeRequest, price func(*testing.T, string)) {
	p.Protect(t, "main", world.Protection{Checks: []string{"ci/test"}, Approvals: 1})
	agent := p.As(p.Agent)
	m := propose(t, "8")
	refused := func(why string) {
		t.Helper()
		var no *world.RefusedError
		if err := p.TryMerge(m.Number, world.Merge); !errors.As(err, &no) || no.Code != http.StatusMethodNotAllowed {
			t.Errorf("merged without %s: %v", why, err)
		}
	}
	refused("status and approval")
	agent.SetStatus(t, m.Head.SHA, "ci/test", "pending")
	agent.SetStatus(t, m.Head.SHA, "ci/test", "success")
	p.AwaitStatus(t, m.Head.SHA, "ci/test", "success")
	if log := p.StatusLog(t, m.Head.SHA); len(log) != 2 || log[0].State != "pending" {
		t.Errorf("the log of statuses is %v", log)
	}
	refused("approval")
	if err := agent.Try(http.MethodPost, "/branch_protections", map[string]any{"rule_name": "x"}, nil); err == nil {
		t.Error("an agent may protect branches")
	}
	if out, err := p.Repo.Try("push", "origin", "HEAD~1:refs/heads/main", "--force"); err == nil {
		t.Errorf("a protected branch was forced: %s", out)
	}
	p.As(p.Grace).Approve(t, m.Number)
	p.Merge(t, m.Number, world.Merge)
	price(t, "8")
	p.Unprotect(t, "main")
}

func forgeWebhook(t *testing.T, p *world.Project) {
	const secret = "of-the-hook"
	told := make(chan string, 100) // the last merge may be among it
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		sum := hmac.New(sha256.New, []byte(secret))
		_, _ = sum.Write(body)
		if got := r.Header.Get("X-Gitea-Signature"); got != hex.EncodeToString(sum.Sum(nil)) {
			t.Errorf("the signature is %q", got)
		}
		told <- r.Header.Get("X-Gitea-Event") + " " + string(body)
	}))
	defer server.Close()
	p.Hook(t, server.URL, secret, "push")
	p.Repo.Write(t, "price", "9\n")
	revision := p.Repo.Commit(t, "Price 9")
	for deadline := time.After(world.Patience); ; {
		select {
		case text := <-told:
			if strings.HasPrefix(text, "push ") && strings.Contains(text, `"after": "`+revision) {
				return
			}
		case <-deadline:
			t.Fatal("the push was not told")
		}
	}
}

// forgeMoves: what knows the old address alone, as agents do, still gets there.
func forgeMoves(t *testing.T, s *world.Story, p *world.Project) {
	old := strings.Replace(p.Repo.URL, "://", "://"+p.Agent.Name+":"+p.Agent.Token+"@", 1)
	p.Rename(t, "store")
	p.Transfer(t, s.Name+"-new")
	p.Repo.Write(t, "price", "10\n")
	revision := p.Repo.Commit(t, "Price 10")
	if got := p.Repo.Run(t, "ls-remote", old, "refs/heads/main"); !strings.HasPrefix(got, revision) {
		t.Errorf("at the old address main is %q, want %s", got, revision)
	}
	if got, err := p.Repo.Ref("refs/heads/main"); got != revision {
		t.Errorf("in the folder main is %q: %v", got, err)
	}
}

func forgeGate(t *testing.T, p *world.Project) {
	ask := func(path string) (int, error) {
		answer, err := http.Get(p.Gate.URL + path)
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}
	want := func(what, path string, want int) {
		t.Helper()
		if got, err := ask(path); got != want || (err == nil) != (want != 0) {
			t.Errorf("%s: %s answers %d, want %d: %v", what, path, got, want, err)
		}
	}
	const version, page = "/api/v1/version", "/user/login"
	want("healthy", version, http.StatusOK)
	p.Gate.Fail(world.Fault{Path: "/api/", Code: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "60"}})
	want("limited", version, http.StatusTooManyRequests)
	want("limited", page, http.StatusOK)
	p.Gate.Heal()
	p.Gate.Fail(world.Fault{Drop: true})
	want("broken", page, 0)
	p.Gate.Heal()
	p.Gate.Close()
	want("closed", version, 0)
	p.MergeRequests(t, "open") // people do not notice
	p.Gate.Open(t)
	want("opened", version, http.StatusOK)
	if got := p.Gate.Requests(http.MethodGet, version); len(got) != 3 || got[1].Code != http.StatusTooManyRequests {
		t.Errorf("counted %v", got)
	}
}

// TestForgeServesAnAgent: an agent with a token that may do no more than write to its repository deploys from the forge
// and writes its notes there; while the forge is down for it, what runs goes on.
func TestForgeServesAnAgent(t *testing.T) {
	s := begin(t, "atforge")
	p := s.AtForge(t)
	s.Deploy(t, "staging")
	s.AwaitGit(t, "staging")
	if len(p.Gate.Requests(http.MethodPost, "git-receive-pack")) == 0 {
		t.Error("the agent did not come through the gate")
	}
	p.Gate.Close()
	s.Agent.AwaitLog(t, "was not polled", strings.TrimPrefix(p.Gate.URL, "http://"))
	s.Repo.Edit(t, stagingDeployment, firstImage, nextImage)
	revision := s.Repo.Commit(t, "The next image")
	p.Gate.Open(t)
	s.AwaitPhase(t, "staging", revision, "Healthy")
	s.AwaitGit(t, "staging")
}
