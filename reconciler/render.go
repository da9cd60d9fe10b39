package reconciler

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/worker"
)

const (
	// firstAgain is when a render whose worker was lost is tried again though nothing of it changed, as the machine may have
	// been at fault; it doubles up to a day, since a template that loops for ever costs a core each time.
	firstAgain = 10 * time.Minute
	lastAgain  = 24 * time.Hour
)

// due says that it is time for another try.
func (o lost) due(now time.Time) bool { return !o.next.IsZero() && !now.Before(o.next) }

func (o lost) again(now time.Time) lost {
	o.next = now.Add(min(firstAgain<<min(o.tries, 10), lastAgain))
	o.tries++
	return o
}

// rendered turns the revision into manifests. Where every answer that the last render got from Git is the
// same, that render is the answer, and so is its refusal; but one whose worker was lost is tried again after a time.
func rendered(ctx context.Context, p *Pass) Outcome {
	if p.Wanted.Absent || p.Tree == nil || p.Wanted.Refused != (policies.Refusal{}) && !p.Despite {
		return next
	}
	t, req := p.target, p.request()
	hit := !t.fetching && t.trace.Holds(p.over(p.Tree), req) && p.keepGenerated()
	if !hit {
		t.lost = lost{}
	}
	hit = hit && !t.lost.due(p.agent.now())
	if hit {
		p.agent.metrics.rendered(true)
	} else {
		p.site.reshape(ctx, p.Place.seen())
		req = p.request()
		if out := p.render(ctx, req); out.Verdict != Next {
			return out
		}
	}
	if !p.know(func(b *basis) { b.follow, b.revision, b.request, b.trace = p.Rules.Follow, p.Revision, req, t.trace }) {
		return superseded
	}
	if p.Fetching != "" { // what runs is looked after meanwhile
		return next
	}
	release := t.release
	release.Revision = p.Revision
	if p.Wanted.Told != "" {
		release.Trigger = t.held.saved.Told.Release.Trigger
	} else {
		release.Trigger = p.trigger(t.release, req)
	}
	if out := p.holds(release.Trigger); out.Verdict != Next {
		return out
	}
	if t.refusal != "" {
		return p.refuseRelease(release, errors.New(t.refusal))
	}
	p.Wanted.Release, p.Wanted.Hooks, p.Wanted.Tests = release, t.hooks, p.Rules.Rollout.Tests
	return next
}

// refuseRelease refuses a revision that cannot be rendered, or whose manifests may not be applied. Commits that change
// nothing of it are not told again: where the tip is followed, the one that brought it is.
func (p *Pass) refuseRelease(release policies.Release, err error) Outcome {
	switch {
	case p.Rules.Follow.Tip() && !p.Place.apart():
		release.Revision = release.Trigger
	case !p.Rules.Follow.Pin:
		req := p.request()
		release.Revision, _ = brought(p.Place.source.git, p.Revision, nothingKnown, func(then *gitsource.Tree) bool { return p.sameInputs(then, req) })
	}
	return p.refuse(release.Revision, release.Trigger, err)
}

func (p *Pass) request() render.Request {
	return render.Request{
		Dir: p.Dir, Application: p.Application, Environment: p.Environment, Source: p.Source,
		Namespace: p.Rules.Namespace, Labels: p.Rules.Labels, Annotations: p.Rules.Annotations,
		Capabilities: p.site.capabilities(),
	}
}

// render renders anew. A fault of the files is remembered as a refusal; a cancelled context and a damaged mirror are not.
func (p *Pass) render(ctx context.Context, req render.Request) Outcome {
	if !p.agent.turns.take(ctx) {
		p.Fetching, p.Again = "waits for a turn to render: other applications' renders take all", sooner(p.Again, stuckAfter)
		return next
	}
	defer p.agent.turns.give()
	t := p.target
	late, before := t.lost, &render.Result{Generated: t.generated, Looked: t.looked}
	t.rendering = rendering{secrets: t.secrets}
	over := p.over(p.Tree)
	made, err := p.make(ctx, over, req, before)
	switch {
	case ctx.Err() != nil:
		return retry(ctx.Err())
	case err != nil && len(over.Missing()) > 0:
		p.fetch(over.Missing(), err)
		return next
	case err != nil && (passing(ctx, err) || errors.Is(err, errNotSeen)):
		return retry(err)
	case err != nil:
		trace, known := render.TraceOf(err)
		if !known { // nothing of it was rendered, and nobody can say what it depends on
			return retry(err)
		}
		if end := (*worker.LostError)(nil); errors.As(err, &end) {
			t.lost = late.again(p.agent.now())
		}
		t.trace, t.refusal = trace, err.Error()
		return next
	}
	if t.trace = made.Trace; slices.ContainsFunc(made.Objects, isHook) {
		t.refusal = fmt.Sprintf("an object has the annotation %s, which is the agent's own: hooks are those of a chart", hookAnnotation)
		return next
	}
	t.release = policies.Release{Inputs: made.Inputs, Digest: made.Digest}
	t.looked, t.adopts = made.Looked, p.Rules.Adopt
	if t.generated = made.Generated; len(made.Generated) > 0 {
		p.target.held.saved.Generated = mergeGenerated(made.Generated, p.target.held.saved.Generated)
		t.secrets = t.secrets.hiding(made.Generated)
	}
	if p.keeps(t.release) {
		if t.objects, err = p.kept(ctx); err != nil {
			t.trace = render.Trace{}
			return retry(err)
		}
	} else {
		t.objects = p.prepare(made)
	}
	t.files = filesOf(made.Objects, func(o *unstructured.Unstructured) string { return made.Sources[render.IDOf(o)] })
	p.hide(t.objects)
	t.desire()
	return next
}

// once takes what an earlier process rendered, or renders.
func (p *Pass) once(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error) {
	kept := p.site.kept
	if kept == nil {
		p.agent.metrics.rendered(false)
		return p.agent.renderer.Render(ctx, tree, req)
	}
	made, known := kept.Find(tree, req)
	if p.agent.metrics.rendered(known); known {
		return made, nil
	}
	return kept.Make(ctx, tree, req)
}

// renders is what renders for the environments of the site.
func (s *site) renders() promote.Renderer {
	if s.kept != nil {
		return s.kept
	}
	return s.agent.renderer
}

// renders is what renders for an environment: where its site is not ready nothing that was kept can be believed yet.
func (a *Agent) renders(environment string) promote.Renderer {
	if served, ok := a.config.Serves(environment); ok && a.sites[served.Cluster].ready() {
		return a.sites[served.Cluster].renders()
	}
	return a.renderer
}

// desire notes which objects the release has.
func (t *target) desire() {
	t.desired = make(map[apply.ID]bool, len(t.objects))
	for _, o := range applied(t.objects) {
		t.desired[apply.IDOf(o)] = true
	}
	t.hooks = hooksIn(t.objects)
}

// rename gives the objects of the last render the names that the state says, where they are its release's.
func (t *target) rename() {
	state := t.held.saved.State
	if t.objects == nil || !t.release.Same(state.Release) || t.named(state) {
		return
	}
	if !t.versioned || state.Versioned { // without any versions they are rendered anew, see manifests
		t.objects = withNames(t.objects, state.Versioned, state.Plain)
		t.versioned, t.plain = state.Versioned, state.Plain
		t.desire()
	}
}

// named reports whether the objects of the last render have the names that the state says.
func (t *target) named(state policies.State) bool {
	return t.versioned == state.Versioned && slices.Equal(t.plain, state.Plain)
}

// manifests are the objects of the release in the saved state: those of the last render where they are the
// same, and otherwise what was saved beside the state, so that neither Git nor the renderer is needed.
func (p *Pass) manifests(ctx context.Context) ([]*unstructured.Unstructured, error) {
	t, saved := p.target, &p.target.held.saved
	if saved.State.Back {
		return p.proven(ctx)
	}
	if t.release.Same(saved.State.Release) && t.objects != nil && t.named(saved.State) {
		return t.objects, nil
	}
	if t.release.Same(saved.State.Release) && p.Tree != nil && t.trace.Holds(p.over(p.Tree), p.request()) {
		made, err := p.make(ctx, p.over(p.Tree), p.request(), nil)
		if err == nil && made.Digest == t.release.Digest {
			t.objects = p.prepare(made)
			return t.objects, nil
		}
	}
	if len(saved.Active) == 0 {
		return nil, fmt.Errorf("manifests of release %s are not saved", saved.State.Release.Revision)
	}
	objects, err := p.site.store.manifests(ctx, saved.Active)
	p.hide(objects)
	return objects, err
}

// prepare makes of what was rendered what is sent, with no namespace where the cluster knows the kind as cluster-wide.
// Whether configuration has names of its content was decided when the release began.
func (p *Pass) prepare(made *render.Result) []*unstructured.Unstructured {
	t := p.target
	state := t.held.saved.State
	t.versioned, t.plain = state.Versioned, state.Plain
	if !t.release.Same(state.Release) && p.Rules.Rollout.Staged() {
		t.versioned, t.plain = true, nil
	}
	objects := made.All()
	return withNames(Prepared(p.site.apply.Scoped(objects), p.Rules.Drift.Leave, false), t.versioned, t.plain)
}

// Prepared makes of what was rendered what is sent: without the fields that belong to somebody else, and where releases
// are staged with configuration under names of its content. The objects given may be changed.
func Prepared(objects []*unstructured.Unstructured, fields []config.LeaveFields, versioned bool) []*unstructured.Unstructured {
	leave(objects, fields)
	if versioned {
		return policies.Versioned(objects, nil)
	}
	return objects
}

// leave takes the fields out that belong to somebody else.
func leave(objects []*unstructured.Unstructured, fields []config.LeaveFields) {
	for _, f := range fields {
		for _, o := range objects {
			if ok, _ := path.Match(f.Kind, o.GetKind()); !ok {
				continue
			}
			if ok, _ := path.Match(f.Name, o.GetName()); !ok && f.Name != "" {
				continue
			}
			for _, pointer := range f.Fields {
				removePointer(o.Object, pointer)
			}
		}
	}
}
