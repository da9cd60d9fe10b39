package reconciler

import (
	"context"
	"errors"
	"fmt"
	"path"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

// longestWalk bounds how many commits are looked at for the one that brought a release.
const longestWalk = 1000

// rendered turns the revision into manifests. Where every answer that the last render got from Git is the
// same, that render is the answer.
func rendered(ctx context.Context, p *Pass) Outcome {
	if p.Wanted.Absent || p.Tree == nil || p.Wanted.Refused != (policies.Refusal{}) {
		return next
	}
	t, req := p.target, p.request()
	hit := t.release.Inputs != "" && t.trace.Holds(p.Tree, req)
	p.agent.metrics.rendered(hit)
	if !hit {
		if out := p.render(ctx, req); out.Verdict != Next {
			return out
		}
	}
	t.mu.Lock()
	t.basis.request, t.basis.trace, t.basis.known = req, t.trace, t.refusal == ""
	t.mu.Unlock()
	if t.refusal != "" {
		return p.refuse(p.Revision, errors.New(t.refusal))
	}
	release := t.release
	release.Revision = p.Revision
	release.Trigger = p.trigger(release)
	p.Wanted.Release = release
	return next
}

func (p *Pass) request() render.Request {
	return render.Request{
		Dir: p.Dir, Application: p.Application, Environment: p.Environment, Source: p.Source,
		Namespace: p.Rules.Namespace, Labels: p.Rules.Labels, Annotations: p.Rules.Annotations,
		Capabilities: p.site.capabilities(),
	}
}

// render renders anew. A fault of the files is remembered as a refusal; a cancelled context is not.
func (p *Pass) render(ctx context.Context, req render.Request) Outcome {
	t := p.target
	t.trace, t.release, t.objects, t.desired, t.refusal, t.guarded = render.Trace{}, policies.Release{}, nil, nil, "", ""
	made, err := render.Render(ctx, p.Tree, req)
	if ctx.Err() != nil {
		return retry(ctx.Err())
	}
	if err != nil {
		t.refusal = err.Error()
		return next
	}
	t.trace, t.objects, t.request = made.Trace, p.prepare(made.Objects), req
	t.secrets = secretsOf(t.objects)
	t.desired = make(map[apply.ID]bool, len(t.objects))
	for _, o := range t.objects {
		t.desired[apply.IDOf(o)] = true
	}
	t.release = policies.Release{Inputs: made.Inputs, Digest: made.Digest}
	return next
}

// trigger is the commit that brought the release: the newest on the way back along first parents that
// changed, against its own first parent, the pin or, without one, the inputs; or the value of retry.
func (p *Pass) trigger(release policies.Release) string {
	saved := p.target.held.saved.State.Release
	revision := p.Place.snap.tip
	if !p.Rules.Follow.Pin {
		revision = p.Revision
	}
	for range longestWalk {
		if saved.Same(release) && (revision == saved.Revision || revision == saved.Trigger) && saved.Trigger != "" {
			return saved.Trigger
		}
		parent, ok, err := p.Place.source.git.FirstParent(revision)
		if err != nil || !ok || !p.sameAt(parent) {
			return revision
		}
		revision = parent
	}
	return revision
}

// sameAt reports whether an older commit asks for the same: the same pin, or without one the same inputs, and
// the same retry.
func (p *Pass) sameAt(revision string) bool {
	tree, err := p.Place.source.git.Tree(revision)
	if err != nil {
		return false
	}
	words, _, err := config.LoadRelease(tree, p.Place.dir, p.Environment, p.Rules.Was)
	if err != nil || words.Retry != p.Words.Retry {
		return false
	}
	if p.Rules.Follow.Pin {
		return words.Revision == p.Words.Revision
	}
	file := path.Join(p.Dir, "sluice.yaml")
	now, err := p.Tree.Object(file)
	if err != nil {
		return false
	}
	if then, err := tree.Object(file); err != nil || then != now && !p.sameSource(tree) {
		return false
	}
	return p.target.trace.Holds(tree, p.request())
}

// sameSource reports whether the environment was rendered in the same way at another revision.
func (p *Pass) sameSource(tree render.Tree) bool {
	app, faults := config.Load(tree, p.Dir)
	if app == nil || len(faults.For(p.Environment)) > 0 {
		return false
	}
	env, ok := app.Environment(p.Environment)
	if !ok {
		return false
	}
	req := p.request()
	req.Source, req.Namespace, req.Labels, req.Annotations = env.Source, env.Namespace, env.Labels, env.Annotations
	return p.target.trace.Holds(tree, req)
}

// manifests are the objects of the release in the saved state: those of the last render where they are the
// same, and otherwise what was saved beside the state, so that neither Git nor the renderer is needed.
func (p *Pass) manifests(ctx context.Context) ([]*unstructured.Unstructured, error) {
	t, saved := p.target, &p.target.held.saved
	if t.release.Same(saved.State.Release) && t.objects != nil {
		return t.objects, nil
	}
	if t.release.Same(saved.State.Release) && p.Tree != nil && t.trace.Holds(p.Tree, p.request()) {
		made, err := render.Render(ctx, p.Tree, p.request())
		if err == nil {
			return p.prepare(made.Objects), nil
		}
	}
	if len(saved.Active) == 0 {
		return nil, fmt.Errorf("manifests of release %s are not saved", saved.State.Release.Revision)
	}
	return p.site.store.manifests(ctx, saved.Active)
}

// prepare makes of what was rendered what is sent: no namespace where the cluster knows the kind as cluster-wide, and no
// field that belongs to somebody else.
func (p *Pass) prepare(objects []*unstructured.Unstructured) []*unstructured.Unstructured {
	objects = p.site.apply.Scoped(objects)
	leave(objects, p.Rules.Drift.Leave)
	return objects
}

// object is the Git object of a file beside sluice.yaml; empty where there is none.
func object(snap *snapshot, dir, file string) string {
	hash, err := snap.tree.Object(path.Join(dir, file))
	if err != nil {
		return ""
	}
	return hash
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
