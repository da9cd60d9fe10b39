package reconciler

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

// conclude turns the outcome of a pass into all that is told of it: status, log, event, metric, note. It is the
// only place that does.
func (p *Pass) conclude(ctx context.Context, out Outcome, took time.Duration) {
	p.publish()
	if out.Verdict == Retry && ctx.Err() != nil {
		return // the agent stops: that is nobody's fault
	}
	if !p.target.loaded && p.Gone == "" && out.Verdict == Wait {
		p.agent.status.drop(p.Key)
		p.agent.view.drop(p.Key)
		p.agent.metrics.drop(p.Key)
		return
	}
	p.agent.status.set(p.Key, p.summary(out))
	p.show(out)
	p.agent.metrics.passed(p, out)
	for _, line := range p.Lines {
		p.log.Info("Release was recorded", "phase", string(line.Phase), "revision", line.Revision, "reason", line.Reason)
		p.site.tellLine(ctx, p.Key, line)
		if p.Place.source != nil && line.Evidence.Soaked == 0 {
			release := policies.Release{Revision: line.Revision, Trigger: line.Trigger}
			p.Place.source.tell(p.Key, line.Phase, release, line.Reason)
		}
	}
	if state := p.target.held.saved.State; p.Place.source != nil && !p.target.restated && state.Phase != "" {
		p.target.restated = true // what an earlier process did not post
		p.Place.source.tell(p.Key, state.Phase, state.Release, p.target.secrets.mask(state.Reason))
	}
	for _, d := range p.Drifts {
		p.tellDrift(ctx, d)
	}
	p.say(out, took)
}

// say logs a pass that ended badly, when it is another way than before, and that all is well again.
func (p *Pass) say(out Outcome, took time.Duration) {
	t := p.target
	bad := out.Verdict == Retry || out.Verdict == Stall
	switch text := string(out.Verdict) + out.Reason; {
	case bad && text != t.said:
		t.said = text
		p.log.Warn("Pass ended badly", "verdict", string(out.Verdict), "reason", t.secrets.mask(out.Reason), "duration", took)
	case !bad && out.Verdict == Ready && t.said != "":
		t.said = ""
		p.log.Info("Environment is well again", "phase", string(t.held.saved.State.Phase))
	}
}

// tellDrift says which fields of which object had drifted, and what became of it.
func (p *Pass) tellDrift(ctx context.Context, d drift) {
	reason, text := "Drifted", fmt.Sprintf("%s: %s differs from Git", d.Object, d.What)
	if d.Repaired {
		reason, text = "Repaired", fmt.Sprintf("%s: %s was put back after %s", d.Object, d.What, d.Took.Round(time.Millisecond))
		p.log.Info("Drift was repaired", "object", d.Object, "fields", d.What, "duration", d.Took)
	} else {
		p.log.Info("Drift was reported", "object", d.Object, "fields", d.What)
	}
	p.agent.metrics.drifted(p.Key, d)
	p.site.tellDrift(ctx, p.Key, reason, text, p.Seen.Now)
}

// changed logs what was done to the cluster.
func (p *Pass) changed(changes []apply.Change) {
	for _, c := range changes {
		if c.Action == apply.Unchanged {
			continue
		}
		p.log.Info("Object was changed", "action", string(c.Action), "object", c.ID.String(), "fields", fmt.Sprint(c.Fields), "reason", p.target.secrets.mask(c.Reason))
		p.agent.metrics.object(c.Action)
	}
}
