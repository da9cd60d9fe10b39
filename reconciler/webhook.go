package reconciler

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// Webhooks hears the forges of repositories and ledgers that have a webhook, at /webhooks/ and the repository's name. They say where it is
// worth looking, and not what is there to be seen: that is asked of Git and of the forge, by the same ways as ever. It may be
// called before Run and after it.
func (a *Agent) Webhooks() http.Handler {
	mux := http.NewServeMux()
	for _, src := range a.polled() {
		repo := src.repo
		if repo.Webhook == nil {
			continue
		}
		heard := a.metrics.webhooks.MustCurryWith(prometheus.Labels{"repository": repo.Name})
		mux.Handle("/webhooks/"+repo.Name,
			promhttp.InstrumentHandlerCounter(heard, forge.Webhook(forge.Kind(repo.Forge.Kind), a.webhookSecret(repo), func(poke forge.Poke) { a.told(src, poke) })))
	}
	return mux
}

// webhookSecret reads a webhook's secret. That it cannot is logged once, since anybody may ask.
func (a *Agent) webhookSecret(repo config.Repository) func() (gitsource.Secret, error) {
	secrets := a.credentialsOf(fmt.Sprintf("webhook of repository %q", repo.Name), &repo.Webhook.Secret)
	var said struct {
		sync.Mutex
		text string
	}
	return func() (gitsource.Secret, error) {
		shown, err := secrets.get()
		if err == nil && shown.Token.Empty() {
			err = errors.New("credentials of " + secrets.of + ": there is no token")
		}
		text := ""
		if err != nil {
			text = err.Error()
		}
		said.Lock()
		defer said.Unlock()
		if text != said.text {
			if said.text = text; text != "" {
				a.log.Error("Webhook was not heard", "repository", repo.Name, "err", err)
			}
		}
		return shown.Token, err
	}
}

// told looks where the webhook of a repository says. It does not wait. Requests are those of a ledger.
func (a *Agent) told(src *source, poke forge.Poke) {
	a.log.Debug("Webhook was heard", "repository", src.repo.Name, "event", poke.Event, "branch", poke.Branch)
	switch poke.Event {
	case forge.EventPush:
		if src.heeds(poke.Branch) {
			src.poke()
		}
	case forge.EventMergeRequest:
		for _, p := range a.promoters {
			if p.source.ledger == src {
				p.recall(poke.Branch)
			}
		}
	case forge.EventOther:
	}
}

// heeds reports whether a push there is worth a poll: others, such as those to the branches of merge requests, change nothing
// here. No branch is a tag.
func (s *source) heeds(branch string) bool {
	snap := s.now.Load()
	if branch == "" || branch == s.repo.Branch || snap == nil {
		return true
	}
	return slices.Contains(snap.wanted(s.served), "refs/heads/"+branch)
}

// recall has the environment that a branch is for looked at now, or each of its group, though nothing moved in Git. Branches of other merge requests
// are nobody's.
func (p *promoter) recall(branch string) {
	for _, prefix := range []string{promotions, reverts, groups} {
		name, ours := strings.CutPrefix("refs/heads/"+branch, prefix)
		application, environment, whole := strings.Cut(name, "/")
		if prefix == groups {
			application, environment, whole = "", name, true
		}
		if !ours || !whole {
			continue
		}
		p.mu.Lock()
		p.recalled = append(p.recalled, Key{application, environment})
		p.mu.Unlock()
		p.poke()
	}
}

// due makes those that were recalled due. One that waits because the forge did not answer, or wants to be left alone, goes on
// waiting.
func (p *promoter) due() {
	p.mu.Lock()
	recalled := p.recalled
	p.recalled = nil
	p.mu.Unlock()
	for key, last := range p.seen {
		meant := slices.Contains(recalled, key) || last.group != "" && slices.Contains(recalled, Key{"", strings.TrimPrefix(p.groupRef(last.group), groups)})
		if meant && last.tries == 0 {
			p.seen[key] = sight{moved: last.moved, said: last.said}
		}
	}
}
