package reconciler

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// A refused release is offered again after a while, since rules of the cluster change too: after 15 s at
// first, and at least every 2 minutes.
const (
	firstOffer = 15 * time.Second
	lastOffer  = 2 * time.Minute
)

// act carries out the effects that are due, in order. What became of them is seen by the next pass, which
// follows at once.
func act(ctx context.Context, p *Pass) Outcome {
	p.watchPods()
	if p.Allowed == nil {
		return next // nobody to act as
	}
	if out := p.tidyHooks(ctx); out.Verdict != Next {
		return out
	}
	for _, effect := range p.Effects {
		var out Outcome
		p.log.Debug("Effect began", "step", string(effect))
		switch effect {
		case policies.Hook:
			out = p.hook(ctx)
		case policies.Unhook:
			out = p.unhook(ctx)
		case policies.Assess:
			out = p.assess(ctx)
		case policies.Keep:
			out = p.keep(ctx)
		case policies.Clear:
			out = p.clear(ctx)
		case policies.Apply:
			out = p.apply(ctx)
		case policies.Measure:
			out = p.measure(ctx)
		case policies.Repair:
			out = p.repair(ctx)
		case policies.Evict:
			out = p.evict(ctx)
		case policies.Unsplit:
			out = p.unsplit(ctx)
		case policies.Prune:
			out = p.prune(ctx)
		}
		p.log.Debug("Effect ended", "step", string(effect))
		if out.Verdict != Next {
			return out
		}
	}
	p.lookBack(ctx)
	return next
}

// watchPods watches the pods of the release's namespaces while it is in flight.
func (p *Pass) watchPods() {
	t, state := p.target, p.target.held.saved.State
	var want []string
	if !state.Phase.Closing() && state.Phase != "" || state.Phase == policies.Failed || state.Form != policies.Settled {
		for _, entry := range t.held.saved.Inventory {
			if (entry.Group == "apps" || entry.Group == "batch") && entry.Namespace != "" && !slices.Contains(want, entry.Namespace) {
				want = append(want, entry.Namespace)
			}
		}
	}
	p.followPods(want)
	// What was begun by a process that is gone has had its time already.
	if state.Assess || state.Stage > 0 || !state.Began.IsZero() && p.Seen.Now.Sub(state.Began) > followAfter {
		for _, namespace := range want {
			p.site.observer.Hurry(namespace)
		}
	}
}

// followPods watches the pods of these namespaces and of no others.
func (p *Pass) followPods(want []string) {
	t := p.target
	for _, namespace := range want {
		if !slices.Contains(t.following, namespace) {
			p.site.observer.Follow(namespace, true)
		}
	}
	for _, namespace := range t.following {
		if !slices.Contains(want, namespace) {
			p.site.observer.Follow(namespace, false)
		}
	}
	t.following = want
}

// serviceAccount is whom the application is impersonated as.
func (p *Pass) serviceAccount() string {
	if p.Allowed == nil {
		return ""
	}
	if strings.Contains(p.Allowed.ServiceAccount, "/") {
		return p.Allowed.ServiceAccount
	}
	return p.Rules.Namespace + "/" + p.Allowed.ServiceAccount
}

func (p *Pass) client() *apply.Client { return p.site.apply.As(p.serviceAccount()).Opening(p.open) }

func (p *Pass) owner() apply.Owner {
	owner := apply.Owner{Application: p.Application, Environment: p.Environment}
	for _, former := range p.agent.catalog.former(p.Key) {
		owner.Was = append(owner.Was, apply.Owner{Application: former.Application, Environment: former.Environment})
	}
	return owner
}

// apply sends the objects of the release.
func (p *Pass) apply(ctx context.Context) Outcome {
	t := p.target
	if wait := p.untilOffer(); wait > 0 {
		return Outcome{Verdict: Stall, Reason: t.held.saved.State.Reason, After: wait}
	}
	if err := p.ensureNamespace(ctx); err != nil {
		return retry(err)
	}
	_, later, err := p.send(ctx, nil, false)
	return p.settled(ctx, later, err)
}

func (p *Pass) ensureNamespace(ctx context.Context) error {
	if !p.Rules.CreateNamespace {
		return nil
	}
	_, err := p.site.apply.EnsureNamespace(ctx, p.Rules.Namespace, nil)
	return err
}

// untilOffer is how long a refused release is not offered again; a person's word ends it.
func (p *Pass) untilOffer() time.Duration {
	if p.Hurry {
		return 0
	}
	return max(0, p.target.attempt.notBefore.Sub(p.Seen.Now))
}

// settled remembers what became of an apply.
func (p *Pass) settled(ctx context.Context, later bool, err error) Outcome {
	if err != nil && !apply.Final(err) {
		return retry(err)
	}
	attempt := &p.target.attempt
	attempt.began = p.target.held.saved.State.Began
	switch {
	case err != nil:
		attempt.result, attempt.why = policies.ApplyRefused, err.Error()
		wait := min(firstOffer<<min(attempt.tries, 8), lastOffer)
		attempt.tries++
		attempt.notBefore = p.Seen.Now.Add(wait)
	case later:
		attempt.result, attempt.why = policies.ApplyLater, ""
		p.site.reshape(ctx, time.Now())
		return Outcome{Verdict: Wait, Reason: "definitions were applied; the rest waits until they are served", After: time.Second}
	default:
		attempt.result, attempt.why, attempt.tries = policies.ApplyDone, "", 0
	}
	return again
}

// again lets the next pass see what this one did.
var again = Outcome{Verdict: Wait, After: time.Nanosecond}

// send plans and applies the objects of the release in the saved state; later says that only definitions went.
func (p *Pass) send(ctx context.Context, drifted map[apply.ID]string, verify bool) (changes []apply.Change, later bool, err error) {
	objects, err := p.sent(ctx)
	if err != nil {
		return nil, false, err
	}
	p.hide(objects)
	plan, err := p.client().Plan(ctx, apply.Request{
		Owner: p.owner(), Objects: objects, Inventory: p.target.held.saved.Inventory, Adopt: p.Rules.Adopt,
		Verify: verify, Drifted: drifted,
	})
	if err != nil {
		return nil, false, err
	}
	return p.carryOut(ctx, plan, drifted)
}

// carryOut applies what was planned and notes what became of it.
func (p *Pass) carryOut(ctx context.Context, plan *apply.Plan, drifted map[apply.ID]string) (changes []apply.Change, later bool, err error) {
	t, saved := p.target, &p.target.held.saved
	result, err := p.client().Apply(ctx, plan)
	if result == nil {
		return nil, plan.Definitions, err
	}
	saved.Inventory = apply.Union(result.Entries, saved.Inventory)
	for _, answer := range result.Answers {
		p.site.note(p.Key, answer)
		if id := apply.IDOf(answer); id.Kind == "Secret" { // no watch shows what is in it
			t.saw(id, answer.GetResourceVersion())
		}
	}
	if drifted == nil {
		t.changes = counted(result.Changes)
	}
	p.changed(result.Changes)
	return result.Changes, plan.Definitions, err
}

// prune deletes what Git no longer has, or everything where the environment is absent.
func (p *Pass) prune(ctx context.Context) Outcome {
	saved := &p.target.held.saved
	gone := p.target.stale()
	if p.Wanted.Absent {
		gone = saved.Inventory
	}
	if !p.Wanted.Absent {
		var err error
		if gone, err = p.unread(ctx, gone); err != nil {
			return retry(err)
		}
		if len(gone) == 0 {
			return next
		}
	}
	changes, err := p.client().Prune(ctx, p.owner(), gone, apply.PruneOptions{Allow: p.Rules.Prune.Delete})
	dropped := map[apply.ID]bool{}
	for _, c := range changes {
		dropped[c.ID] = true
		delete(p.target.compared, c.ID)
	}
	saved.Inventory = saved.Inventory.Without(dropped)
	p.changed(changes)
	p.target.changes = add(p.target.changes, counted(changes))
	if err != nil && !errors.Is(err, context.Canceled) {
		return retry(err)
	}
	return again
}

func counted(changes []apply.Change) record.Changes {
	var n record.Changes
	for _, c := range changes {
		switch c.Action {
		case apply.Created:
			n.Created++
		case apply.Configured:
			n.Configured++
		case apply.Unchanged:
			n.Unchanged++
		case apply.Deleted:
			n.Deleted++
		case apply.Skipped:
			n.Skipped++
		}
	}
	return n
}

func add(a, b record.Changes) record.Changes {
	return record.Changes{
		Created: a.Created + b.Created, Configured: a.Configured + b.Configured, Unchanged: a.Unchanged + b.Unchanged,
		Deleted: a.Deleted + b.Deleted, Skipped: a.Skipped + b.Skipped,
	}
}
