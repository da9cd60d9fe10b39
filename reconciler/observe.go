package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// notWell is an object that is not Current, and why.
type notWell struct {
	Object string
	Health rollout.Status
	Reason string
}

// observe sees how the objects of the release in the saved state are, from the watches alone.
func observe(ctx context.Context, p *Pass) Outcome {
	t, saved := p.target, &p.target.held.saved
	p.Seen.Now = p.agent.now()
	if t.watched.IsZero() {
		t.watched = p.Seen.Now
	}
	p.Seen.Watched = t.watched
	p.Verify = p.verifyDue()
	if t.attempt.began.Equal(saved.State.Began) {
		p.Seen.Apply, p.Seen.ApplyReason = t.attempt.result, t.attempt.why
	}
	if t.scene.began.Equal(saved.State.Began) {
		p.Seen.Scene = t.scene.seen
	}
	p.watch()
	if saved.State.Back && t.provenIDs == nil {
		if _, err := p.proven(ctx); err != nil {
			return retry(err)
		}
	}
	p.Seen.Health, p.Seen.HealthReason = p.health()
	p.stages()
	p.traffic()
	p.count()
	if err := p.hooked(ctx); err != nil {
		return retry(err)
	}
	if saved.State.Applied && !p.Wanted.Absent && !p.Wanted.Paused {
		p.drift(ctx)
	}
	return next
}

// count counts what is owned and what of it Git no longer has. Objects that were about to be created when a process died
// have no UID: they may be there or not, so they count only where nothing else does, and are looked at.
func (p *Pass) count() {
	saved, nameless := &p.target.held.saved, 0
	for _, entry := range saved.Inventory {
		if entry.UID != "" || p.Wanted.Absent {
			p.Seen.Owned++
		}
	}
	for _, entry := range p.target.stale() {
		if p.target.read.waits(entry.ID, p.Seen.Now) {
			continue
		}
		if entry.UID == "" {
			nameless++
			continue
		}
		p.Seen.Stale++
	}
	if p.Seen.Stale == 0 {
		p.Seen.Stale = min(nameless, 1)
	}
}

// watch makes sure that each kind that is owned is watched.
func (p *Pass) watch() {
	for _, entry := range p.target.held.saved.Inventory {
		p.site.watch(entry, p.Rules.Namespace, p.serviceAccount())
	}
	for _, run := range p.target.held.saved.Hooks {
		p.site.watch(run.Entry, p.Rules.Namespace, p.serviceAccount())
	}
}

// inRelease returns the entries that belong to the release in the saved state: all but the stale ones.
func (p *Pass) inRelease() apply.Inventory {
	t := p.target
	if t.held.saved.State.Back && t.provenIDs != nil { // what only the other release has is left over until the next one
		return slices.DeleteFunc(slices.Clone(t.held.saved.Inventory), func(e apply.Entry) bool { return !t.provenIDs[e.ID] && !t.splits(e.ID) })
	}
	if t.desired == nil || !t.release.Same(t.held.saved.State.Live()) {
		return t.held.saved.Inventory
	}
	return slices.DeleteFunc(slices.Clone(t.held.saved.Inventory), func(e apply.Entry) bool { return !t.desired[e.ID] && !t.splits(e.ID) })
}

// health is the worst of the objects' health. An object that no watch has shown yet is in progress.
func (p *Pass) health() (policies.HealthStatus, string) {
	saved := p.target.held.saved.State
	if saved.Phase == "" {
		return policies.Unknown, ""
	}
	worst := policies.Current
	for _, entry := range p.inRelease() {
		seen, ok := p.site.observer.Get(rollout.ID(entry.ID))
		if !ok {
			seen = rollout.Object{ID: rollout.ID(entry.ID), Status: rollout.InProgress, Message: p.whyUnseen(entry)}
		}
		if seen.Status == rollout.Current {
			continue
		}
		well, waits := p.diagnose(seen), true
		if p.site.observer.SilentAlone(seen.ID) {
			waits, well.Reason = false, fmt.Sprintf("%d of its pods are on nodes that do not answer", p.site.observer.Silent(seen.ID))
		}
		p.NotWell = append(p.NotWell, well)
		if well.Health == rollout.Failed {
			worst = policies.Degraded
		} else if worst == policies.Current && waits {
			worst = policies.InProgress
		}
	}
	return worst, p.worstReason(worst)
}

// whyUnseen says why no watch has shown an object; the first list of its watch wakes the key.
func (p *Pass) whyUnseen(entry apply.Entry) string {
	if p.site.await(p.Key, entry, p.Rules.Namespace) {
		return "it is not there"
	}
	if err := p.site.fault(entry, p.Rules.Namespace); err != nil {
		return "it cannot be watched: " + err.Error()
	}
	return "not seen yet"
}

// diagnose says why an object is not well. It has failed where a finding is the release's own fault, or where its
// status says so and no finding blames the surroundings (a quota, a full cluster, a silent registry).
func (p *Pass) diagnose(seen rollout.Object) notWell {
	well := notWell{Object: apply.ID(seen.ID).String(), Health: seen.Status, Reason: seen.Message}
	findings := p.site.observer.Diagnose(seen.ID)
	if len(findings) == 0 {
		return well
	}
	at := max(0, slices.IndexFunc(findings, func(f rollout.Finding) bool { return f.Terminal }))
	well.Health, well.Reason = rollout.InProgress, findings[at].Message
	if findings[at].Terminal {
		well.Health = rollout.Failed
	}
	return well
}

// worstReason is one line for people: the first object that is as bad as the whole.
func (p *Pass) worstReason(worst policies.HealthStatus) string {
	slices.SortFunc(p.NotWell, func(a, b notWell) int {
		if aFailed := a.Health == rollout.Failed; aFailed != (b.Health == rollout.Failed) {
			if aFailed {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Object, b.Object)
	})
	if worst == policies.Current || len(p.NotWell) == 0 {
		return ""
	}
	first := p.NotWell[0]
	reason := first.Object + ": " + p.target.secrets.mask(first.Reason)
	if more := len(p.NotWell) - 1; more > 0 {
		reason += fmt.Sprintf(" (and %d more)", more)
	}
	return reason
}
