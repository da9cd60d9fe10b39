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
	"github.com/sluice-cd/sluice/render"
)

const (
	// renderLimit is how long one render may take: a hundred times what a large one needs.
	renderLimit = time.Minute
	// firstOverdue is when one that took longer is tried again; it doubles up to a day, since a template that loops for
	// ever costs a core each time.
	firstOverdue = 10 * time.Minute
	lastOverdue  = 24 * time.Hour
)

func (o overdue) holds(revision string, now time.Time) bool {
	return o.revision == revision && now.Before(o.next)
}

func (o overdue) again(revision string, now time.Time) overdue {
	if o.revision != revision {
		o = overdue{revision: revision}
	}
	o.next = now.Add(min(firstOverdue<<min(o.tries, 10), lastOverdue))
	o.tries++
	return o
}

// rendered turns the revision into manifests. Where every answer that the last render got from Git is the
// same, that render is the answer, and so is its refusal.
func rendered(ctx context.Context, p *Pass) Outcome {
	if p.Wanted.Absent || p.Tree == nil || p.Wanted.Refused != (policies.Refusal{}) && !p.Despite {
		return next
	}
	t, req := p.target, p.request()
	hit := !t.fetching && t.trace.Holds(p.over(p.Tree), req) || t.overdue.holds(p.Revision, p.agent.now())
	p.agent.metrics.rendered(hit)
	if !hit {
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
	t := p.target
	late := t.overdue
	t.rendering = rendering{secrets: t.secrets}
	limited, cancel := context.WithTimeout(ctx, renderLimit)
	defer cancel()
	over := p.over(p.Tree)
	made, err := render.Render(limited, over, req)
	switch {
	case ctx.Err() != nil:
		return retry(ctx.Err())
	case limited.Err() != nil:
		t.overdue, t.refusal = late.again(p.Revision, p.agent.now()), fmt.Sprintf("render: it took longer than %s", renderLimit)
		return next
	case err != nil && len(over.Missing()) > 0:
		p.fetch(over.Missing(), err)
		return next
	case err != nil && passing(ctx, err):
		return retry(err)
	case err != nil:
		trace, known := render.TraceOf(err)
		if !known { // a panic: nobody can say what it depended on
			t.overdue = late.again(p.Revision, p.agent.now())
		}
		t.trace, t.refusal = trace, err.Error()
		return next
	}
	if t.trace = made.Trace; slices.ContainsFunc(made.Objects, isHook) {
		t.refusal = fmt.Sprintf("an object has the annotation %s, which is the agent's own: hooks are those of a chart", hookAnnotation)
		return next
	}
	t.release = policies.Release{Inputs: made.Inputs, Digest: made.Digest}
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
		made, err := render.Render(ctx, p.over(p.Tree), p.request())
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
	objects := append(slices.Clone(made.Objects), hooksOf(made)...)
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
