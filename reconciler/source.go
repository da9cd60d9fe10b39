package reconciler

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// longestWait bounds the back-off of a repository that does not answer.
const longestWait = 5 * time.Minute

// source polls one repository. Its snapshot may be read by anybody; all else belongs to run.
type source struct {
	repo    config.Repository
	git     *gitsource.Repository
	served  func(environment string) bool
	changed func(first bool) // told after each new snapshot of this source
	tidy    func()           // called after each poll
	promote func()           // called after each poll that had an answer
	// ledger has what is written about it: itself, or a repository of its own.
	ledger *source
	// statuses are put on its commits.
	statuses *statuses
	pace     *pace // of pushes
	metrics  *metrics
	contact  contact

	credentials *credentials // nil where the repository needs none
	log         *slog.Logger

	now     atomic.Pointer[snapshot]
	poked   chan struct{}
	said    string // the last error that was logged
	failing int    // polls that failed in a row
}

func newSource(repo config.Repository, git *gitsource.Repository, log *slog.Logger) *source {
	s := &source{repo: repo, git: git, log: log.With("repository", repo.Name), poked: make(chan struct{}, 1)}
	s.ledger = s
	return s
}

// poke asks for a poll now.
func (s *source) poke() {
	select {
	case s.poked <- struct{}{}:
	default:
	}
}

// run polls until ctx ends. It begins with what the mirror still holds, so that a restart while the Git server
// is away finds everything as it was.
func (s *source) run(ctx context.Context) {
	s.restore()
	for {
		err := s.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		s.report(err)
		s.tidy()
		if err == nil {
			s.promote()
		}
		timer := time.NewTimer(s.wait())
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.poked:
		}
		timer.Stop()
	}
}

func (s *source) restore() {
	if snap, err := take(s.git, s.repo, s.git.Local(), nil); err == nil {
		s.publish(snap)
	} // a mirror that cannot be read is filled anew by the first fetch
}

func (s *source) poll(ctx context.Context) error {
	old := s.now.Load()
	next, err := refresh(ctx, s.git, s.repo, s.served, old)
	if err != nil {
		return err
	}
	if next != old {
		s.publish(next)
	}
	return nil
}

func (s *source) publish(next *snapshot) {
	old := s.now.Load()
	for _, found := range next.apps {
		if _, known := old.same(found.dir, found.object); !known && found.broken && speechless(found.app) { // no environment can say it
			s.log.Error("Application was not read", "dir", found.dir, "revision", next.tip, "err", found.faults)
		}
	}
	s.now.Store(next)
	s.changed(old == nil)
}

// report logs an error when it is another one than before, and once when it is over.
func (s *source) report(err error) {
	s.metrics.polled(s.repo.Name, err)
	s.contact.tell(time.Now(), err)
	if err == nil {
		if s.failing > 0 {
			s.log.Info("Repository answered again", "polls", s.failing)
		}
		s.failing, s.said = 0, ""
		return
	}
	s.failing++
	if errors.Is(err, gitsource.ErrAuth) {
		s.credentials.forget()
	}
	if text := err.Error(); text != s.said {
		s.said = text
		s.log.Error("Repository was not polled", "err", err)
	}
}

// wait is the time until the next poll: the interval with up to 10% jitter, or the next firing of the cron
// expression; doubled for each failure in a row.
func (s *source) wait() time.Duration {
	if s.repo.Poll.Cron != "" && s.failing == 0 {
		return untilFiring(s.repo.Poll, time.Now())
	}
	wait := max(s.repo.Poll.Interval.Std(), time.Second*time.Duration(min(s.failing, 1)))
	for range min(s.failing, 16) {
		if wait *= 2; wait > longestWait {
			wait = longestWait
		}
	}
	return wait - time.Duration(rand.Int64N(int64(wait)/10+1))
}

// untilFiring returns the time until a validated cron expression fires.
func untilFiring(poll config.Poll, now time.Time) time.Duration {
	zone, err := time.LoadLocation(poll.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	schedule, err := cron.ParseStandard(poll.Cron)
	if err != nil {
		return longestWait
	}
	at := schedule.Next(now.In(zone))
	if at.IsZero() { // the 30th of February
		return longestWait
	}
	return at.Sub(now) + time.Millisecond
}
