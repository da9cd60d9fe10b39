package reconciler

import (
	"context"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// note ends a pass that carried out nothing: it says how the environment is.
func note(_ context.Context, p *Pass) Outcome {
	state := p.target.held.saved.State
	wait := time.Duration(0) // nothing but a commit is of use
	if state.Applied && !p.Wanted.Absent && p.Allowed != nil {
		wait = sooner(p.untilAudit(), p.Later)
	}
	if late := p.target.lost; !late.next.IsZero() {
		wait = sooner(wait, max(time.Second, late.next.Sub(p.Seen.Now)))
	}
	if p.Blind != nil {
		wait = sooner(wait, time.Minute)
	}
	if look := p.target.read.until; look.After(p.Seen.Now) {
		wait = sooner(wait, look.Sub(p.Seen.Now))
	}
	if due := state.Due(p.Wanted, p.Seen.Now); !due.IsZero() {
		wait = sooner(wait, due.Sub(p.Seen.Now))
	}
	switch {
	case p.Anew && state.Phase.Closing():
		return again
	case p.Wanted.Paused:
		return Outcome{Verdict: Ready, Reason: "paused"}
	case p.Wanted.Refused != (policies.Refusal{}):
		return Outcome{Verdict: Stall, Reason: p.Wanted.Refused.Reason, After: sooner(wait, p.Again)}
	case p.Fetching != "":
		return Outcome{Verdict: Wait, Reason: p.Fetching, After: sooner(wait, p.Again)}
	case p.Wanted.Release != (policies.Release{}) && state.Refused != (policies.Refusal{}): // it is in quarantine
		return Outcome{Verdict: Stall, Reason: state.Refused.Reason, After: wait}
	case state.Hooking.Failed && state.Hooking.Leaves:
		return Outcome{Verdict: Stall, Reason: state.Hooking.Why, After: wait}
	case p.Wanted.Absent && state.Waiting != (policies.Waiting{}):
		return Outcome{Verdict: Wait, Reason: waits("", state), After: wait}
	case state.Phase == policies.Failed, state.Phase == policies.RolledBack:
		reason := waits(state.Reason, state)
		if state.Back && p.Seen.Apply == policies.ApplyRefused {
			reason += "; the way back is refused: " + p.Seen.ApplyReason
		}
		return Outcome{Verdict: Stall, Reason: reason, After: wait}
	case state.Assess, state.Stage > 0 && state.Phase != policies.Healthy:
		reason := waits(state.Reason, state)
		if measured := state.Waits(p.Wanted); measured != "" {
			reason += "; " + measured
		}
		return Outcome{Verdict: Wait, Reason: reason, After: sooner(wait, time.Minute)}
	case state.Phase == policies.Progressing:
		if !state.Slow {
			wait = sooner(wait, max(time.Second, policies.SlowAfter-p.Seen.Now.Sub(state.Began)))
		}
		return Outcome{Verdict: Wait, Reason: waits(p.Seen.HealthReason, state), After: sooner(wait, time.Minute)}
	case state.Held != "":
		return Outcome{Verdict: Wait, Reason: waits(state.Held, state), After: wait}
	case p.Blind != nil:
		return retry(p.Blind)
	case p.Fought != "":
		return Outcome{Verdict: Stall, Reason: p.Fought, After: wait}
	case state.Waiting != (policies.Waiting{}):
		if p.unseen() {
			wait = sooner(wait, time.Minute)
		}
		p.target.rest()
		return Outcome{Verdict: Wait, Reason: waits("", state), After: wait}
	case p.Gone != "":
		return Outcome{Verdict: Wait, Reason: p.Gone, After: wait}
	case p.Wanted.Absent:
		return Outcome{Verdict: Ready, Reason: "absent"}
	case p.unseen():
		return Outcome{Verdict: Ready, After: sooner(wait, time.Minute)} // the first list of a watch wakes the key
	}
	p.target.rest()
	return Outcome{Verdict: Ready, After: wait}
}

// sooner is the shorter of two waits; zero is for ever.
func sooner(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// unseen reports whether the watch of some owned kind has not answered yet.
func (p *Pass) unseen() (waits bool) {
	for _, entry := range p.target.held.saved.Inventory {
		if !p.site.await(p.Key, entry, p.Rules.Namespace) {
			waits = true
		}
	}
	return waits
}

// rest drops what is not needed while nothing happens; the trace and the names stay, and of Secrets' values those of what
// runs.
func (t *target) rest() {
	if t.objects != nil && t.release.Same(t.held.saved.State.Release) {
		t.secrets = secretsOf(t.objects).and(t.opened).hiding(t.held.saved.Generated)
	}
	t.objects, t.provenObjects = nil, nil
}

// publish hands waiting lines, as they were saved, to the publisher, which writes them to Git in its own time.
func (p *Pass) publish() {
	t := p.target
	if len(t.held.outbox.Waiting) == 0 || p.Place.source == nil {
		return
	}
	fresh := map[string][]record.Line{}
	for _, line := range t.held.outbox.Lines() {
		if !t.handed[line.ID] {
			fresh[line.Environment] = append(fresh[line.Environment], line) // an earlier name's goes to its own ref
		}
	}
	for environment, lines := range fresh {
		if t.handed == nil {
			t.handed = map[string]bool{}
		}
		for _, line := range lines {
			t.handed[line.ID] = true
		}
		p.agent.write(p.Place.source, environment, lines, t)
	}
}
