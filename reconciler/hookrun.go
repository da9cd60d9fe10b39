package reconciler

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// hookGlance is the time between two looks at a hook that runs, where no watch says more.
const hookGlance = 5 * time.Second

// refusedHook is why a run was not begun: it was refused, or there is nowhere to.
type refusedHook struct {
	run    string
	result policies.HookResult
	why    string
}

// beforeHooks finds out what the policies have to know of hooks before they decide: those of the deletion of all, and whether
// something runs already of what is released here for the first time.
func (p *Pass) beforeHooks(ctx context.Context) error {
	saved := &p.target.held.saved
	switch state := saved.State; {
	case p.Wanted.Absent && state.Phase != "" && !state.Hooking.Leaves && (len(saved.Active) > 0 || state.Back):
		objects, err := p.manifests(ctx)
		if err != nil {
			return err
		}
		p.Wanted.Hooks = hooksIn(objects)
	case state.Phase == "" && p.Rules.Adopt && len(p.Wanted.Hooks) > 0 && p.Allowed != nil && len(saved.Inventory) == 0:
		plan, err := p.client().Plan(ctx, apply.Request{Owner: p.owner(), Objects: applied(p.target.objects), Adopt: true})
		if err != nil && !apply.Final(err) {
			return err
		}
		p.Seen.Runs = err == nil && slices.ContainsFunc(plan.Changes, func(c apply.Planned) bool { return c.Action != apply.Created })
	}
	return nil
}

// dueHook is the hook that is due in the state, and the name of its run; nil: the manifests have it no more.
func (p *Pass) dueHook(ctx context.Context) (*unstructured.Unstructured, string, error) {
	h := p.target.held.saved.State.Hooking
	objects, err := p.manifests(ctx)
	if err != nil {
		return nil, "", err
	}
	hooks := hooksAt(objects, h.Moment())
	if h.Next >= len(hooks) {
		return nil, "", nil
	}
	return hooks[h.Next], p.runName(h), nil
}

// runOf is the object of a run among those that are kept track of; nil: it was not begun.
func (s *Saved) runOf(run string) *hookRun {
	i := slices.IndexFunc(s.Hooks, func(h hookRun) bool { return h.Run == run })
	if i < 0 {
		return nil
	}
	return &s.Hooks[i]
}

// hooked sees what became of the hook that is due. It is looked at itself, since the release hangs on it.
func (p *Pass) hooked(ctx context.Context) error {
	t, saved := p.target, &p.target.held.saved
	p.Seen.Hooks = len(saved.Hooks)
	h := saved.State.Hooking
	if !h.Runs() || p.Wanted.Paused || p.Allowed == nil {
		return nil
	}
	o, run, err := p.dueHook(ctx)
	if err != nil {
		return err
	}
	if o == nil {
		p.Seen.Hook.Result = policies.HookDone
		return nil
	}
	p.Seen.Hook.Name, p.Seen.Hook.Limit = apply.IDOf(p.outgoingHook(o, run)).String(), p.hookLimit(o)
	entry := saved.runOf(run)
	if h.Leaves && (entry == nil || entry.UID == "") {
		p.Seen.Hook.Limit = 0 // nobody knows when rights that went first come back
	}
	if t.refused.run == run {
		p.Seen.Hook.Result, p.Seen.Hook.Says = t.refused.result, t.refused.why
	} else if entry != nil {
		err = p.lookAtHook(ctx, entry)
	}
	if entry != nil {
		entry.Ended = p.Seen.Hook.Result
	}
	return err
}

// lookAtHook sees what became of a run that was begun, or was about to be.
func (p *Pass) lookAtHook(ctx context.Context, entry *hookRun) error {
	seen := &p.Seen.Hook
	live, err := p.client().Get(ctx, entry.ID, entry.Version)
	switch {
	case errors.Is(err, apply.ErrGone):
		if entry.UID != "" {
			seen.Result, seen.Says = policies.HookFailed, "it was deleted before it was seen to end"
		}
		return nil
	case err != nil && apply.Final(err) && !p.Wanted.Absent:
		seen.Result, seen.Says = policies.HookFailed, p.target.secrets.mask(err.Error())
		return nil
	case err != nil:
		return err
	case live.GetAnnotations()[runAnnotation] != entry.Run:
		return nil // an earlier run's, which goes before this one begins
	}
	if entry.UID == "" {
		p.log.Info("Hook was found again", "object", entry.ID.String())
	}
	entry.UID = string(live.GetUID())
	ended, fault := rollout.Ended(live)
	switch {
	case ended && fault == "":
		seen.Result = policies.HookDone
		return nil
	case ended:
		seen.Result, seen.Says = policies.HookFailed, p.target.secrets.mask(fault)
	}
	waited := p.Seen.Now.Sub(p.target.held.saved.State.Hooking.Began)
	if ended || waited >= min(policies.SlowAfter, seen.Limit) { // one that has just begun says nothing yet
		p.HookPods = p.site.runPods(ctx, entry.ID)
		if len(p.HookPods) > 0 && !ended {
			seen.Says = p.target.secrets.mask(p.HookPods[0].Reason)
		}
	}
	return nil
}

// givenUp notes that the run which was due failed where only its time says so.
func (p *Pass) givenUp(before policies.State) {
	saved := &p.target.held.saved
	if !before.Hooking.Runs() || p.Seen.Hook.Result != policies.HookWaits || saved.State.Phase != policies.Failed && !saved.State.Hooking.Failed {
		return
	}
	if entry := saved.runOf(p.runName(before.Hooking)); entry != nil {
		entry.Ended = policies.HookFailed
	}
}

// expectHook notes which object a hook is about to make, so that it is saved before it is made.
func (p *Pass) expectHook(ctx context.Context) error {
	saved := &p.target.held.saved
	h := saved.State.Hooking
	if !slices.Contains(p.Effects, policies.Hook) {
		return nil
	}
	o, run, err := p.dueHook(ctx)
	if err != nil || o == nil || saved.runOf(run) != nil {
		return err
	}
	id := apply.IDOf(p.outgoingHook(o, run))
	saved.Hooks = slices.DeleteFunc(slices.Clone(saved.Hooks), func(h hookRun) bool { return h.ID == id })
	saved.Hooks = append(saved.Hooks, hookRun{
		Entry: apply.Entry{ID: id, Version: o.GroupVersionKind().Version},
		Run:   run, Moment: h.Moment(), Since: h.Since, Policies: policiesOf(o),
	})
	return nil
}

// hook begins the hook that is due, once. What it made before goes first.
func (p *Pass) hook(ctx context.Context) Outcome {
	t, saved := p.target, &p.target.held.saved
	o, run, err := p.dueHook(ctx)
	if err != nil {
		return retry(err)
	}
	entry := saved.runOf(run)
	if o == nil || entry == nil {
		return again
	}
	waits := Outcome{Verdict: Wait, Reason: "waits for " + WaitsFor(p.Key, saved.State), After: hookGlance}
	if entry.UID != "" {
		return waits
	}
	if gone, err := p.nowhere(ctx, o.GetNamespace()); err != nil {
		return retry(err)
	} else if gone {
		t.refused = refusedHook{run, policies.HookDone, ""}
		return again
	}
	o = p.outgoingHook(o, run)
	if gone, err := p.leftRuns(ctx, o, run); err != nil || !gone {
		if err != nil {
			return p.refuseHook(run, err)
		}
		waits.After = time.Second
		return waits
	}
	answer, err := p.makeHook(ctx, o)
	if err != nil {
		return p.refuseHook(run, err)
	}
	entry.UID, t.refused = answer, refusedHook{}
	return again
}

// nowhere reports whether the namespace of a hook went before the environment is deleted: there is nothing left to do in it.
func (p *Pass) nowhere(ctx context.Context, namespace string) (bool, error) {
	if !p.Wanted.Absent {
		return false, p.ensureNamespace(ctx)
	}
	if namespace == "" {
		return false, nil
	}
	_, err := p.site.apply.Self().Get(ctx, apply.ID{Kind: "Namespace", Name: namespace}, "v1")
	if errors.Is(err, apply.ErrGone) {
		return true, nil
	}
	return false, err
}

// refuseHook notes that a run cannot be begun. What passes by itself is tried again, and so is the deletion of all: rights may
// have gone first.
func (p *Pass) refuseHook(run string, err error) Outcome {
	if !apply.Final(err) || p.Wanted.Absent {
		return retry(err)
	}
	p.target.refused = refusedHook{run, policies.HookRefused, p.target.secrets.mask(err.Error())}
	return again
}

// lacks reports whether nothing but what is not there yet was in the way of a dry-run: an earlier hook may make it, as a Role that
// is bound.
func lacks(err error) bool {
	var faults apply.Errors
	return errors.As(err, &faults) && !slices.ContainsFunc(faults, func(f *apply.ObjectError) bool { return f.Code != http.StatusNotFound })
}

// rehearse asks, before the first hook of a moment, about all of its hooks, and before a release about all that is sent after
// them: what the API server refuses is refused before anything was made. Hooks that are there already are not asked about, since
// they go first; nor is what has a kind that a hook may define.
func (p *Pass) rehearse(ctx context.Context) error {
	h, saved := p.target.held.saved.State.Hooking, p.target.held.saved
	if h.Next > 0 {
		return nil
	}
	objects, err := p.manifests(ctx)
	if err != nil {
		return err
	}
	var fresh []*unstructured.Unstructured
	for _, o := range hooksAt(objects, h.Moment()) {
		o = p.outgoingHook(o, p.runName(h))
		_, err := p.client().Get(ctx, apply.IDOf(o), "")
		if errors.Is(err, apply.ErrGone) && objectOf(fresh, apply.IDOf(o)) == nil {
			fresh = append(fresh, o)
		}
	}
	if !saved.State.Applied && !h.Leaves {
		fresh = append(fresh, applied(objects)...)
	}
	fresh = slices.DeleteFunc(fresh, func(o *unstructured.Unstructured) bool {
		_, _, err := p.site.apply.Resource(o.GroupVersionKind())
		return err != nil
	})
	_, err = p.client().Plan(ctx, apply.Request{Owner: p.owner(), Objects: fresh, Inventory: saved.Inventory, Adopt: p.Rules.Adopt})
	if lacks(err) {
		return nil
	}
	return err
}

// makeHook applies a hook, and returns the UID of its object.
func (p *Pass) makeHook(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	if err := p.rehearse(ctx); err != nil {
		return "", err
	}
	plan, err := p.client().Plan(ctx, apply.Request{Owner: p.owner(), Objects: []*unstructured.Unstructured{o}, Adopt: p.Rules.Adopt})
	if err != nil {
		return "", err
	}
	result, err := p.client().Apply(ctx, plan)
	if result != nil {
		p.changed(result.Changes)
	}
	if err != nil {
		return "", err
	}
	for _, made := range result.Entries {
		return made.UID, nil
	}
	return "", nil
}
