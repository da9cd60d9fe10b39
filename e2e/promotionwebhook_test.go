package e2e

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// atOnce is far below the poll interval of the story, and above what a busy machine needs.
const atOnce = 20 * time.Second

// polled is how often production's agent asked Git for news.
func polled(t *testing.T, s *world.Story) float64 {
	t.Helper()
	polls, err := s.Agent.Metric("sluice_git_polls_total")
	if err != nil {
		t.Fatal(err)
	}
	return polls
}

// answered waits until the agent has answered a webhook with this code.
func answered(t *testing.T, s *world.Story, code string) {
	t.Helper()
	world.Await(t, atOnce, "a webhook is answered with "+code, func() error {
		webhooks, err := s.Agent.Metric("sluice_webhooks_total", `repository="shop"`, `code="`+code+`"`)
		if err == nil && webhooks == 0 {
			err = errors.New("none was")
		}
		return err
	})
}

// post posts a push to main as the forge would, signed with a secret, and returns the answer's code.
func post(t *testing.T, address, secret string) int {
	t.Helper()
	const body = `{"ref":"refs/heads/main","repository":{"full_name":"acme/shop"}}`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	request.Header.Set("X-Gitea-Event", "push")
	request.Header.Set("X-Gitea-Signature", hex.EncodeToString(mac.Sum(nil)))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close() //nolint:errcheck // the code says all
	return answer.StatusCode
}

// TestPromotionWebhook: an agent that asks Git once an hour hears of pushes and merge requests by the forge's webhooks. Who has
// not the secret is not heard.
func TestPromotionWebhook(t *testing.T) {
	s, p, first := atForge(t, "webhook")
	s.Agent.Stop(t)
	secret := rand.Text()
	address := s.HearsWebhooks(t, s.Agent, secret)
	s.Agent.Config.Repositories[0].Poll = map[string]any{"interval": "1h"}
	s.Agent.Start(t)
	request := p.AwaitMergeRequest(t, "the first release", proposes(first))
	world.Await(t, atOnce, "the agent has asked Git", func() error {
		if polled(t, s) == 0 {
			return errors.New("it has not")
		}
		return nil
	})

	t.Run("Lesson35_WhoHasNotTheSecretIsNotHeard", func(t *testing.T) {
		before := polled(t, s)
		if code := post(t, address, "guessed"); code != http.StatusUnauthorized {
			t.Errorf("the answer is %d", code)
		}
		p.Hook(t, address, "guessed", "push", "pull_request")
		s.Repo.Write(t, "README", "Of the shop\n")
		s.Repo.Commit(t, "An unrelated commit")
		answered(t, s, "401")
		if code := post(t, strings.TrimSuffix(address, "shop")+"prices", secret); code != http.StatusNotFound {
			t.Errorf("another path is answered with %d", code)
		}
		if after := polled(t, s); after != before {
			t.Errorf("%v polls since", after-before)
		}
		p.Unhook(t)
	})
	t.Run("APushIsDeployedAtOnce", func(t *testing.T) {
		p.Hook(t, address, secret, "push", "pull_request")
		merged := p.Merge(t, request.Number, world.Merge)
		began := time.Now()
		s.Cluster.AwaitObject(t, atOnce, "the shop is there", s.Object("Deployment", "production"), world.Exists)
		t.Logf("in the cluster %v after the answer to the merge", time.Since(began).Round(time.Millisecond))
		answered(t, s, "204")
		s.AwaitPhase(t, "production", first, "Healthy")
		if all := p.MergeRequests(t, "all"); len(all) != 1 { // the word of the merge may come before the one of the push
			t.Errorf("%s is merged, and yet it was asked for again: %v", merged, all)
		}
	})
	s.Repo.Run(t, "pull", "-q", "origin", "main")
	t.Run("ARequestThatAPersonClosesIsSeenAtOnce", func(t *testing.T) {
		s.Repo.Edit(t, productionDeployment, firstImage, nextImage)
		second := s.Repo.Commit(t, "Another image in production")
		request = p.AwaitMergeRequest(t, "the second release", proposes(second))
		looks := func() int { return len(p.Gate.Requests(http.MethodGet, "/pulls")) }
		before := looks()
		_, end := s.Agent.LogSince(t, 0)
		began := time.Now()
		p.CloseMergeRequest(t, request.Number)
		world.Await(t, atOnce, "the agent notices", func() error {
			if since, _ := s.Agent.LogSince(t, end); strings.Contains(since, "declined") {
				return nil
			}
			return errors.New("it does not say so")
		})
		t.Logf("seen after %v, by %d requests", time.Since(began).Round(time.Millisecond), looks()-before)
	})
}
