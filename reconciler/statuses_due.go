package reconciler

import (
	"maps"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/gitsource/forge"
)

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
	s.posted = at
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

// forget bounds what is remembered. What is due stays longer.
func (s *statuses) forget() {
	for len(s.order) > oldCommits {
		i := slices.IndexFunc(s.order, func(at commitIn) bool { return len(s.commits[at].due) == 0 && at != s.posted })
		if i < 0 && len(s.order) <= mostDue {
			return
		}
		i = max(i, 0)
		delete(s.commits, s.order[i])
		s.order = slices.Delete(s.order, i, i+1)
	}
}
