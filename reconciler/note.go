package reconciler

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// note ends a pass that carried out nothing: it says how the environment is.
func note(_ context.Context, p *Pass) Outcome {
	state := p.target.held.saved.State
	wait := p.untilAudit()
	switch {
	case p.Wanted.Paused:
		return Outcome{Verdict: Ready, Reason: "paused"}
	case p.Wanted.Refused != (policies.Refusal{}):
		return Outcome{Verdict: Stall, Reason: p.Wanted.Refused.Reason, After: wait}
	case state.Phase == policies.Failed:
		return Outcome{Verdict: Stall, Reason: state.Reason, After: wait}
	case state.Phase == policies.Progressing:
		return Outcome{Verdict: Wait, Reason: state.Reason, After: min(wait, time.Minute)}
	case state.Held != "":
		return Outcome{Verdict: Wait, Reason: state.Held, After: wait}
	case p.unseen():
		return Outcome{Verdict: Ready, After: min(wait, time.Minute)} // the first list of a watch wakes the key
	}
	p.target.rest()
	return Outcome{Verdict: Ready, After: wait}
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

// rest drops what is not needed while nothing happens; the trace and the names stay.
func (t *target) rest() { t.objects = nil }

// publish hands waiting lines to the publisher, which writes them to Git in its own time.
func (p *Pass) publish() {
	outbox := p.target.held.outbox
	if len(outbox.Waiting) == 0 || p.Place.source == nil {
		return
	}
	if lines := p.target.unpublished(outbox.Lines()); len(lines) > 0 {
		p.agent.write(p.Place.source, p.Key, lines, p.target)
	}
}

// unpublished returns the lines that were not handed over by this process yet.
func (t *target) unpublished(lines []record.Line) []record.Line {
	var fresh []record.Line
	if t.handed == nil {
		t.handed = map[string]bool{}
	}
	for _, line := range lines {
		if !t.handed[line.ID] {
			t.handed[line.ID] = true
			fresh = append(fresh, line)
		}
	}
	return fresh
}

// conclude turns the outcome of a pass into all that is told of it: status, log, event, metric, note. It is the
// only place that does.
func (p *Pass) conclude(ctx context.Context, out Outcome, took time.Duration) {
	p.publish()
	state := p.target.held.saved.State
	p.agent.status.set(p.Key, p.summary(out))
	p.agent.metrics.passed(p, out, took)
	for _, line := range p.Lines {
		p.log.Info("Release was recorded", "phase", string(line.Phase), "revision", line.Revision, "reason", line.Reason)
		p.site.event(ctx, p.Key, line)
	}
	if out.Verdict != Retry && out.Verdict != Stall {
		if p.target.said != "" && out.Verdict == Ready {
			p.log.Info("Environment is well again", "phase", string(state.Phase))
			p.target.said = ""
		}
		return
	}
	if text := string(out.Verdict) + out.Reason; text != p.target.said {
		p.target.said = text
		p.log.Warn("Pass ended badly", "verdict", string(out.Verdict), "reason", p.target.secrets.mask(out.Reason), "duration", took)
	}
}

// changed logs what was done to the cluster.
func (p *Pass) changed(changes []apply.Change) {
	for _, c := range changes {
		if c.Action == apply.Unchanged {
			continue
		}
		p.log.Info("Object was "+string(c.Action), "object", c.ID.String(), "fields", fmt.Sprint(c.Fields), "reason", c.Reason)
		p.agent.metrics.object(c.Action)
	}
}
