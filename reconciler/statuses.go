package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
)

const (
	// gatherStatuses is how long commit statuses are gathered, so that one commit's many applications are seen together.
	gatherStatuses = time.Second
	// mostStatuses are the applications of a commit that each get a status of their own. More of them get one together: forges
	// allow few writes, and nobody reads so many.
	mostStatuses = 20
	// statusTries bounds the refusals after which a status is given up. A forge that is away refuses nothing, and is asked
	// until it is back.
	statusTries = 10
	// oldCommits bounds the commits that are remembered.
	oldCommits = 1000
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

type statusWord struct {
	state forge.State
	text  string
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
	for len(s.order) > oldCommits {
		delete(s.commits, s.order[0])
		s.order = s.order[1:]
	}
	select {
	case s.poked <- struct{}{}:
	default:
	}
}

// statusOf is what a phase is to a commit. Success is never said before health.
func statusOf(phase policies.Phase, reason string) statusWord {
	text := string(phase)
	if reason != "" {
		text += ": " + reason
	}
	switch phase {
	case policies.Healthy:
		return statusWord{forge.StateSuccess, text}
	case policies.Failed, policies.RolledBack, policies.Blocked:
		return statusWord{forge.StateFailure, text}
	case policies.Superseded:
		return statusWord{forge.StateError, text}
	case policies.Pending, policies.Progressing, policies.Holding, policies.Promoting:
	}
	return statusWord{forge.StatePending, text}
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
		err := post(ctx, client, at, said)
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

// next is how long it is until something may be posted; zero: nothing is due.
func (s *statuses) next() (wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.agent.now()
	for _, t := range s.commits {
		if len(t.due) == 0 {
			continue
		}
		if after := max(t.after.Sub(now), time.Millisecond); wait == 0 || after < wait {
			wait = after
		}
	}
	return wait
}

// pending are the commits that something is due for, the newest first.
func (s *statuses) pending(now time.Time) (all []commitIn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range slices.Backward(s.order) {
		if t := s.commits[at]; len(t.due) > 0 && !now.Before(t.after) {
			all = append(all, at)
		}
	}
	return all
}

// take returns what a commit says, and which of it is due; that counts as posted until it is put back.
func (s *statuses) take(at commitIn) saying {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.commits[at]
	if !known {
		return saying{}
	}
	taken := saying{words: maps.Clone(t.words), due: t.due, alone: t.alone}
	t.due = map[string]bool{}
	return taken
}

// news reports whether a refusal is worth a line: that the credentials may set no status is said once, and again after they did.
func (s *statuses) news(err error) bool {
	said := s.forbidden
	s.forbidden = forge.Is(err, forge.NotAllowed)
	return !said || !s.forbidden
}

// refused counts a refusal, and reports whether it is the first, to be said.
func (s *statuses) refused(at commitIn) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.commits[at]
	if known {
		t.tries++
	}
	return known && t.tries == 1
}

// putBack has what was due tried again, not before a time. After many refusals it is given up.
func (s *statuses) putBack(at commitIn, due map[string]bool, after time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, known := s.commits[at]
	if !known || t.tries > statusTries {
		return
	}
	t.after = after
	maps.Copy(t.due, due)
}

// poster is a forge that takes statuses.
type poster interface {
	SetStatus(ctx context.Context, revision string, s forge.Status) error
}

// post sets the statuses that are due: one for each application, or where there are many one for all. Those that got one of
// their own before the others came keep it, or it would say for ever what it did then.
func post(ctx context.Context, to poster, at commitIn, t saying) error {
	if len(t.words) > mostStatuses {
		if err := to.SetStatus(ctx, at.revision, together(at.environment, t.words)); err != nil {
			return err
		}
		maps.DeleteFunc(t.due, func(application string, _ bool) bool { return !t.alone[application] })
	}
	for _, application := range slices.Sorted(maps.Keys(t.due)) {
		w := t.words[application]
		status := forge.Status{Context: forge.Prefix + application + "/" + at.environment, State: w.state, Description: w.text}
		if err := to.SetStatus(ctx, at.revision, status); err != nil {
			return err
		}
		t.alone[application] = true
		delete(t.due, application)
	}
	return nil
}

// together is one status for many applications: the worst of theirs, with counts.
func together(environment string, words map[string]statusWord) forge.Status {
	counts := map[forge.State]int{}
	for _, w := range words {
		counts[w.state]++
	}
	status := forge.Status{Context: forge.Prefix + environment, State: forge.StateSuccess}
	for _, state := range []forge.State{forge.StatePending, forge.StateError, forge.StateFailure} {
		if counts[state] > 0 {
			status.State = state
		}
	}
	status.Description = fmt.Sprintf("%d of %d applications are healthy, %d failed, %d superseded, %d under way", counts[forge.StateSuccess],
		len(words), counts[forge.StateFailure], counts[forge.StateError], counts[forge.StatePending])
	return status
}
