package reconciler

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/render"
)

// Pass is one look at one key: what Git asks for, what is saved, what is seen, and what is done about it.
// Each phase fills in its part and says how to go on.
type Pass struct {
	Key
	ID     string // of the pass, in every log line of it
	agent  *Agent
	target *target
	site   *site // the cluster of the environment
	log    *slog.Logger

	Place    place              // where the application is; zero where Git does not say
	Gone     string             // why Git says nothing more of the environment
	Rules    config.Environment // in force; zero where there are none
	Allowed  *config.Permission // by agent.yaml; nil: nothing may be touched
	Words    config.Release     // the release file
	Revision string             // that the environment follows
	Anew     bool               // Revision is the proven one, since the state was lost; Git's comes after it
	Despite  bool               // Git's files are refused, but the pin in them is followed
	Again    time.Duration      // when what Git asks for is looked at again though no commit arrives; 0: never
	Source   render.Source      // at Revision
	Dir      string             // of sluice.yaml at Revision
	Tree     *gitsource.Tree
	Fetching string // why it cannot be rendered yet: what is fetched, or whose turn it is

	Hurry   bool // a person asked: no back-off counts
	Verify  bool // every object is to be compared, whatever the watches said
	Seen    policies.Observation
	Wanted  policies.Plan
	Effects []policies.Effect
	Urgent  []*apply.Prepared // effects that do not wait for the state to be saved
	Lines   []record.Line     // that were saved by this pass
	NotWell []notWell
	Failing []rollout.Finding // pods that the release fails by, with what they said last
	// HookPods are those that the hook which is due failed by, or waits for.
	HookPods []record.Pod
	Drifted  drifted
	Drifts   []drift       // that were repaired or reported
	Blind    error         // why drift could not be looked for
	Fought   string        // what is not repaired for a while, since it drifts again and again
	Later    time.Duration // when it is
	Steps    []step        // how long each phase took
}

// step is a phase that ran.
type step struct {
	Phase string
	Took  time.Duration
}

// Verdict is how a phase, and so a pass, ended.
type Verdict string

// The verdicts. All but Next end the pass.
const (
	Next       Verdict = "next"       // go on with the next phase
	Ready      Verdict = "ready"      // everything is as Git says; wait for something new
	Wait       Verdict = "wait"       // something is under way; an event or After wakes the key
	Stall      Verdict = "stall"      // only something new will help: a commit, a changed rule
	Retry      Verdict = "retry"      // a passing fault; again with back-off
	Superseded Verdict = "superseded" // something newer is there
)

// Outcome is what a phase returns. Reason is shown to people. After is when to look again at the latest,
// zero for never; the queue adds the back-off of Retry itself.
type Outcome struct {
	Verdict Verdict
	Reason  string
	After   time.Duration
	Err     error
}

var (
	next       = Outcome{Verdict: Next}
	superseded = Outcome{Verdict: Superseded, Reason: errSuperseded.Error()}
)

// phase is a named part of a pass.
type phase struct {
	name string
	run  func(context.Context, *Pass) Outcome
}

// phases are the table of contents of GitOps.
func phases() []phase {
	return []phase{
		{"select", choose},
		{"render", rendered},
		{"guard", guard},
		{"observe", observe},
		{"plan", plan},
		{"save", save},
		{"act", act},
		{"record", note},
	}
}

// run carries out the phases until one of them ends the pass. A cancelled context ends it between two requests.
func (p *Pass) run(ctx context.Context) Outcome {
	for _, ph := range phases() {
		p.log.Debug("Phase began", "step", ph.name)
		began := time.Now()
		out := ph.run(ctx, p)
		p.Steps = append(p.Steps, step{ph.name, time.Since(began)})
		switch {
		case errors.Is(context.Cause(ctx), errSuperseded):
			return superseded
		case ctx.Err() != nil:
			return retry(ctx.Err())
		}
		if out.Verdict != Next {
			return out
		}
	}
	return Outcome{Verdict: Ready}
}

// retry makes an outcome of a passing fault.
func retry(err error) Outcome { return Outcome{Verdict: Retry, Reason: err.Error(), Err: err} }
