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
	// MayCommit permits commits on the polled branch, for by: commit.
	MayCommit bool
	// Show tells of the objects in a request's text; nil: nothing is told of them.
	Show Shown
	Log  *slog.Logger

	memos memos
	past  past
	last  shown
	fired policies.Firing    // of the schedule; lost with the process, which then begins with the next firing
	first map[string]arrival // by environment
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
	// Capabilities of the target cluster.
	Capabilities render.Capabilities
	// Window says when the target's changes may begin.
	Window policies.Openness
	Now    time.Time
}

// Outcome is what a look came to.
type Outcome struct {
	Candidate string // the revision that is asked for; empty: there is none
	Due       bool   // it may be merged, by what the environment says
	Reason    string // for people
	After     time.Duration
	Request   forge.MergeRequest // the open one; zero where there is none
}

func (s Subject) promotion() config.Promotion {
	env, ok := s.Rules.Environment(s.Environment)
	if !ok || env.Promotion == nil {
		return config.Promotion{}
	}
	return *env.Promotion
}

// Look looks at an environment once and does what is due. The error is one of Git or of the forge: the next look begins anew,
// not before Outcome.After.
func (k *Keeper) Look(ctx context.Context, s Subject) (Outcome, error) {
	if k.memos == nil {
		k.memos = memos{}
	}
	lane := s.promotionLane()
	var known known
	var err error
	if s.promotion().By == config.ByMergeRequest { // else no request is kept, and a forge that is away keeps no pin from its commit
		if known, err = k.requests(ctx, lane); err != nil {
			return Outcome{After: forge.RetryAfter(err, s.Now)}, err
		}
	}
	facts, err := k.facts(ctx, s, known)
	if err != nil {
		return Outcome{After: forge.RetryAfter(err, s.Now)}, err
	}
	rules, err := rulesOf(s.promotion())
	if err != nil {
		return Outcome{}, err
	}
	decision := rules.Decide(facts)
	k.fired = decision.Fired
	if fixed := why(known); fixed != "" && s.promotion().By == config.ByMergeRequest {
		decision = ofFixed(rules, facts, decision, known.asks)
	}
	out := Outcome{Due: decision.Due, Reason: decision.Reason, After: decision.RetryAfter}
	if decision.Candidate != nil {
		out.Candidate = decision.Candidate.Revision
	}
	switch s.promotion().By {
	case config.ByMergeRequest:
		out.Request, err = k.propose(ctx, lane, known, decision, func(revision string) policies.PromotionDecision {
			return rules.Decide(facts.Upto(revision))
		})
	case config.ByCommit:
		out.Reason, err = k.commit(ctx, s, decision)
	case config.ByHand:
	}
	if err != nil {
		out.After = forge.RetryAfter(err, s.Now)
	}
	return out, err
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
	if facts.Declined.Revision, err = k.declined(ctx, s, known.closed); err != nil {
		return facts, err
	}
	if declined := facts.Declined.Revision; declined != "" {
		if facts.Declined.Digest, _, err = k.digest(ctx, s, declined); err != nil {
			return facts, err
		}
	}
	facts.Arrived = k.arrivals(s)
	facts.Fired, facts.Window = k.fired, s.Window
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

// commit pins what is due without a person.
func (k *Keeper) commit(ctx context.Context, s Subject, d policies.PromotionDecision) (string, error) {
	if d.Candidate == nil || !d.Due {
		return d.Reason, nil
	}
	if !k.MayCommit {
		return "promotion by commit needs writeBack: {commit: true} of the repository in agent.yaml", nil
	}
	files, err := k.files(s, d.Candidate.Revision)
	if err != nil {
		return d.Reason, err
	}
	in := k.ledger(s)
	written, err := in.Git.AppendCommit(ctx, gitsource.Change{
		Ref: "refs/heads/" + in.Branch, Base: in.Tip, Files: files, Message: s.promotes(d.Candidate.Revision), Time: s.Now,
	})
	if err != nil {
		return d.Reason, fmt.Errorf("pin %.7s in %s: %w", d.Candidate.Revision, s.Environment, err)
	}
	k.Log.Info("Release was promoted", "app", s.Application, "env", s.Environment, "revision", d.Candidate.Revision, "commit", written.Commit)
	return "pinned " + d.Candidate.Revision[:7], nil
}

// files is the release file with another pin.
func (k *Keeper) files(s Subject, revision string) (gitsource.Files, error) {
	in := k.ledger(s)
	tree, err := in.Git.Tree(in.Tip)
	if err != nil {
		return nil, fmt.Errorf("read %.7s: %w", in.Tip, err)
	}
	return pin(tree, s.file(), revision)
}

func pin(tree *gitsource.Tree, file, revision string) (gitsource.Files, error) {
	before, err := readFile(tree, file)
	if err != nil {
		return nil, err
	}
	after, err := config.Pin(file, before, revision)
	if err != nil {
		return nil, err
	}
	return gitsource.Files{file: {Content: after}}, nil
}
