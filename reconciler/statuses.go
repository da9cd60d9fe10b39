package reconciler

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
)

const (
	// gatherStatuses is how long commit statuses are gathered, so that one commit's many applications are seen together.
	gatherStatuses = time.Second
	// statusTries bounds the refusals after which a status is given up. A forge that is away refuses nothing, and is asked
	// until it is back.
	statusTries = 10
	// oldCommits bounds the commits that are remembered, and mostDue those of them that a forge with limits has not been told
	// of: what GitHub takes in a day.
	oldCommits = 1000
	mostDue    = 10_000
)

// statuses puts commit statuses on the commits of one repository, beside the passes: a slow forge holds no apply. What is lost
// with the process is put there again by the first pass of the next one.
type statuses struct {
	agent *Agent
	src   *source
	poked chan struct{}

	away      int       // how often in a row the forge was; all three are run's
	until     time.Time // when it is asked again
	forbidden bool      // it was said that the credentials may only read

	mu      sync.Mutex
	commits map[commitIn]*saying
	order   []commitIn // the oldest first
	posted  commitIn   // what take was asked for last: it may be put back
}

// commitIn is a commit in an environment.
type commitIn struct{ revision, environment string }

// saying is what a commit is to be told in an environment, by application.
type saying struct {
	words map[string]statusWord
	due   map[string]bool // the applications whose word was not posted
	alone map[string]bool // those that got a status of their own, of run
	tries int             // refusals
	after time.Time
}

func newStatuses(a *Agent, src *source) *statuses {
	return &statuses{agent: a, src: src, poked: make(chan struct{}, 1), commits: map[commitIn]*saying{}}
}

// want notes what a release's commits are to say. It returns at once.
func (s *statuses) want(key Key, phase policies.Phase, release policies.Release, reason string) {
	if !s.src.repo.PostsStatuses() {
		return
	}
	w := statusOf(phase, reason)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, revision := range slices.Compact([]string{release.Revision, release.Trigger}) {
		if revision == "" {
			continue
		}
		at := commitIn{revision, key.Environment}
		t := s.commits[at]
		if t == nil {
			t = &saying{words: map[string]statusWord{}, due: map[string]bool{}, alone: map[string]bool{}}
			s.commits[at], s.order = t, append(s.order, at)
		}
		if t.words[key.Application] == w {
			continue
		}
		t.words[key.Application], t.due[key.Application], t.tries = w, true, 0
	}
	s.forget()
	select {
	case s.poked <- struct{}{}:
	default:
	}
}

// run posts until ctx ends.
func (s *statuses) run(ctx context.Context) {
	if !s.src.repo.PostsStatuses() {
		return
	}
	var client *forge.Client
	wait := time.Duration(0)
	for {
		timer := time.NewTimer(cmp.Or(wait, longestWait))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.poked:
		case <-timer.C:
		}
		timer.Stop()
		if wait = gatherStatuses; !sleep(ctx, wait) {
			return
		}
		if client == nil {
			opened, err := s.agent.openForge(s.src.repo)
			if err != nil || opened == nil {
				wait = lookAgain
				continue // the promoter says it
			}
			client = opened
		}
		wait = s.flush(ctx, client)
	}
}

// sleep waits, and returns false where ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// flush posts what is due, the newest commits first, and returns when there is more to do; zero: nothing is.
func (s *statuses) flush(ctx context.Context, client *forge.Client) time.Duration {
	now := s.agent.now()
	if now.Before(s.until) {
		return s.until.Sub(now)
	}
	for _, at := range s.pending(now) {
		said := s.take(at)
		due := said.due
		err := post(ctx, client, s.agent.config.Links, at, said)
		if forge.Is(err, forge.RateLimited) || forge.Is(err, forge.Unavailable) { // the others would fare no better
			s.putBack(at, due, time.Time{})
			s.until = now.Add(max(forge.RetryAfter(err, now), min(time.Second<<min(s.away, 6), lookAgain)))
			if s.away++; s.away == 1 {
				s.agent.log.Warn("Commit status was not set", "repository", s.src.repo.Name, "env", at.environment, "revision", at.revision, "err", err)
			}
			return s.until.Sub(now)
		}
		if s.away = 0; err == nil {
			s.forbidden = false
			continue
		}
		if s.refused(at) && s.news(err) {
			s.agent.log.Warn("Commit status was not set", "repository", s.src.repo.Name, "env", at.environment, "revision", at.revision, "err", err)
		}
		s.putBack(at, due, now.Add(time.Second))
		if ctx.Err() != nil {
			break
		}
	}
	return s.next()
}
