package promote

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

// Keeper keeps the merge request of one environment. It is made once and may not be used concurrently.
type Keeper struct {
	Git *gitsource.Repository
	// Forge opens merge requests; nil where there is none, and a branch is all that is pushed.
	Forge *forge.Client
	// Checks reads those of candidates, at the forge of the code; nil where there is none, and no check is known to be green.
	Checks *forge.Client
	// PushOptions have the push open the merge request, at a GitLab without a token. Nobody sees what becomes of it.
	PushOptions bool
	// MayCommit permits pins to be committed on the polled branch that has them, for by: commit.
	MayCommit bool
	// Show tells of the objects in a request's text; nil: nothing is told of them.
	Show Shown
	Log  *slog.Logger

	memos  memos
	past   past
	stood  stood
	beside beside
	last   shown
	first  map[string]arrival // by environment
}

// Subject is what a look is about, as Git says it at one moment.
type Subject struct {
	Application, Environment string
	Repository               config.Repository
	Tip                      string // of the polled branch
	Dir                      string // of sluice.yaml at the tip
	// Rules are the application as it is in force: of the tip, or for an environment whose block is faulty there the last
	// valid ones.
	Rules *config.Application
	// Ledger is where the release file is moved; nil: in the repository of the application.
	Ledger *Ledger
	// Release is the release file at the tip of where it is.
	Release config.Release
	// Lines are the notes that count, by the environment that they are of.
	Lines map[string][]record.Line
	// Renderer renders what the revisions have.
	Renderer Renderer
	// Capabilities of the target cluster.
	Capabilities render.Capabilities
	// Charts has those from elsewhere.
	Charts elsewhere.Source
	// Window says when the target's changes may begin.
	Window policies.Openness
	// Fired is what the last look gave; zero: there was none, and the schedule begins with its next firing.
	Fired policies.Firing
	// Links say where sluice/promotable leads to.
	Links config.Links
	Now   time.Time
}

// Outcome is what a look came to.
type Outcome struct {
	Candidate string // the revision that is asked for; empty: there is none
	Due       bool   // it may be merged, by what the environment says
	Reason    string // for people
	After     time.Duration
	Fired     policies.Firing    // to be saved, and given with the next look
	Request   forge.MergeRequest // the open one; zero where there is none
	Pin       *Pin               // is to be committed, without a person; nil: nothing is
}

func (s Subject) promotion() config.Promotion {
	env, ok := s.Rules.Environment(s.Environment)
	if !ok || env.Promotion == nil {
		return config.Promotion{}
	}
	return *env.Promotion
}

// Look looks at an environment once and does what is due, but for the commits, which are made together. The error is one of Git
// or of the forge: the next look begins anew, not before Outcome.After.
func (k *Keeper) Look(ctx context.Context, s Subject) (Outcome, error) {
	outs, err := k.look(ctx, k.promotionLane(s), []Member{{Keeper: k, Subject: s}})
	return outs[0], err
}

// look looks at what may be asked for in a lane. The outcomes are those of the members, in their order, whatever the error.
func (k *Keeper) look(ctx context.Context, l lane, members []Member) ([]Outcome, error) {
	outs := make([]Outcome, len(members))
	for i, m := range members {
		outs[i].Fired = m.Subject.Fired
	}
	fail := func(err error) ([]Outcome, error) {
		for i := range outs {
			outs[i].After = forge.RetryAfter(err, l.Now)
		}
		return outs, err
	}
	var now known
	var err error
	if l.promotion().By == config.ByMergeRequest { // else no request is kept, and a forge that is away keeps no pin from its commit
		if now, err = k.requests(ctx, l); err != nil {
			return fail(err)
		}
	}
	all := make([]share, len(members))
	for i, m := range members {
		if all[i], err = m.weigh(ctx, now); err != nil {
			return fail(err)
		}
	}
	for i, s := range all {
		outs[i] = Outcome{Due: s.decision.Due, Reason: s.decision.Reason, After: s.decision.RetryAfter, Fired: s.decision.Fired}
		if s.decision.Candidate != nil {
			outs[i].Candidate = s.decision.Candidate.Revision
		}
	}
	switch l.promotion().By {
	case config.ByMergeRequest:
		request, errKeep := k.propose(ctx, l, now, all)
		for i := range outs {
			outs[i].Request = request
		}
		err = errKeep
	case config.ByCommit:
		err = k.commit(ctx, l, all, outs)
	case config.ByHand:
	}
	if err != nil {
		return fail(err)
	}
	return outs, nil
}

// facts are what the decision rests on.
func (k *Keeper) facts(ctx context.Context, s Subject, known known) (policies.PromotionFacts, error) {
	facts := policies.PromotionFacts{Now: s.Now, Pin: policies.Pinned{Revision: s.Release.Revision}}
	var err error
	if facts.Candidates, err = k.candidates(ctx, s); err != nil {
		return facts, err
	}
	if pin := s.Release.Revision; pin != "" {
		if facts.Pin.Digest, _, err = k.digest(ctx, s, pin); err != nil {
			return facts, err
		}
	}
	if facts.Declined.Revision, err = k.declined(ctx, s, known.closed[s.file()]); err != nil {
		return facts, err
	}
	if declined := facts.Declined.Revision; declined != "" {
		if facts.Declined.Digest, _, err = k.digest(ctx, s, declined); err != nil {
			return facts, err
		}
	}
	facts.Arrived = k.arrivals(s)
	facts.Fired, facts.Window = s.Fired, s.Window
	return facts, k.checks(ctx, s, facts.Candidates)
}

// checks reads those that must be green on the candidates. Without a forge nobody can know, and none is.
func (k *Keeper) checks(ctx context.Context, s Subject, candidates []policies.Candidate) error {
	names := s.promotion().When.Checks
	if len(names) == 0 || k.Checks == nil {
		return nil
	}
	for i := range candidates {
		if len(candidates[i].From) < len(s.promotion().From) {
			continue // nothing hangs on its checks, and each costs a request
		}
		states, err := k.Checks.Checks(ctx, candidates[i].Revision, names...)
		if err != nil {
			return fmt.Errorf("read checks of %.7s: %w", candidates[i].Revision, err)
		}
		candidates[i].Checks = map[string]string{}
		for name, state := range states {
			candidates[i].Checks[name] = string(state)
		}
	}
	return nil
}
