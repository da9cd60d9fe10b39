package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/view"
	"github.com/sluice-cd/sluice/render"
)

const (
	// diffsKept is how many comparisons are remembered.
	diffsKept = 32
	// diffWait bounds how long a viewer waits for the turn and the two renders.
	diffWait = 20 * time.Second
)

// diffs are the comparisons that somebody looked at last. One is made at a time in the whole agent: passes render too.
type diffs struct {
	turn chan struct{}
	mu   sync.Mutex
	kept []keptDiff // the last one first
}

type keptDiff struct {
	of   string
	made view.Diff
}

func newDiffs() diffs { return diffs{turn: make(chan struct{}, 1)} }

func (d *diffs) find(of string) (view.Diff, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.kept, func(k keptDiff) bool { return k.of == of })
	if i < 0 {
		return view.Diff{}, false
	}
	return d.kept[i].made, true
}

func (d *diffs) keep(of string, made view.Diff) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.kept = append([]keptDiff{{of, made}}, d.kept[:min(len(d.kept), diffsKept-1)]...)
}

// Diff implements view.Source. A side without a revision is what its environment has now.
func (v *View) Diff(ctx context.Context, from, to view.Side) (view.Diff, error) {
	at, err := v.agent.catalog.find(to.Application)
	if err != nil || from.Application != to.Application {
		return view.Diff{}, view.ErrUnknown
	}
	for _, side := range []*view.Side{&from, &to} {
		if side.Revision == "" {
			left, _ := v.last(Key(side.Key))
			side.Revision = left.cell.Release.Revision
		}
		if _, ok := at.app.Environment(side.Environment); !ok || !isRevision(side.Revision) || !v.told(ctx, Key(side.Key), side.Revision) {
			return view.Diff{}, view.ErrUnknown
		}
	}
	of := fmt.Sprint(from, to, at.snap.tip) // the rules by which both are rendered
	if made, ok := v.diffs.find(of); ok {
		return made, nil
	}
	ctx, cancel := context.WithTimeout(ctx, diffWait)
	defer cancel()
	select {
	case v.diffs.turn <- struct{}{}:
		defer func() { <-v.diffs.turn }()
	case <-ctx.Done():
		return view.Diff{}, ctx.Err()
	}
	if made, ok := v.diffs.find(of); ok {
		return made, nil
	}
	made, err := v.compare(ctx, at, from, to)
	if err == nil {
		v.diffs.keep(of, made)
	}
	return made, err
}

// told reports whether a revision is of a release that is shown somewhere: nothing else of a repository is rendered for a viewer.
func (v *View) told(ctx context.Context, of Key, revision string) bool {
	left, _ := v.last(of)
	cell := left.cell
	if cell.Release.Revision == revision || cell.Proven != nil && cell.Proven.Revision == revision || cell.Next != nil && cell.Next.Revision == revision {
		return true
	}
	if slices.ContainsFunc(v.askedOf(of).list(), func(r view.Request) bool { return r.Revision == revision }) {
		return true
	}
	history, err := v.History(ctx, of.Application)
	return err == nil && slices.ContainsFunc(history.Releases, func(p view.Past) bool { return p.Revision == revision })
}

// isRevision reports whether a text is a full hash: nothing else is ever looked up in a repository.
func isRevision(text string) bool {
	return len(text) >= 40 && strings.Trim(text, "0123456789abcdef") == ""
}

// compare renders both sides. What cannot be rendered is said, and stays so: the trace of a render tells such a fault from others.
func (v *View) compare(ctx context.Context, at place, from, to view.Side) (view.Diff, error) {
	before, err := v.rendered(ctx, at, from)
	var after []*unstructured.Unstructured
	if err == nil {
		after, err = v.rendered(ctx, at, to)
	}
	if err != nil {
		if _, known := render.TraceOf(err); known {
			return view.Diff{From: from, To: to, Failed: oneLine(err.Error())}, nil
		}
		return view.Diff{}, err
	}
	side := func(of view.Side) DiffSide {
		env, _ := at.app.Environment(of.Environment)
		return DiffSide{Environment: of.Environment, Revision: of.Revision, Namespace: env.Namespace}
	}
	env, _ := at.app.Environment(to.Environment)
	made := DiffOf{
		Application: to.Application, From: side(from), To: side(to), Before: before, After: after, Versioned: env.Rollout.Staged(),
	}.Diff()
	return made.View(from, to), nil
}

// rendered are the objects of an environment at a revision. One that has no such environment has none of them.
func (v *View) rendered(ctx context.Context, at place, of view.Side) ([]*unstructured.Unstructured, error) {
	env, _ := at.app.Environment(of.Environment)
	subject := promote.Subject{
		Application: of.Application, Environment: of.Environment, Repository: at.source.repo, Dir: at.dir, Rules: at.app,
		Renderer: v.agent.renders(of.Environment), Charts: v.agent.chartsOf(of.Application),
	}
	var s *site
	if served, ok := v.agent.config.Serves(of.Environment); ok && v.agent.sites[served.Cluster].ready() {
		s = v.agent.sites[served.Cluster]
		subject.Capabilities = s.capabilities()
	}
	objects, err := subject.Objects(ctx, at.source.git, of.Revision)
	if errors.Is(err, gitsource.ErrNotFound) {
		return nil, view.ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	if s != nil {
		objects = s.apply.Scoped(objects)
	}
	return Prepared(objects, env.Drift.Leave, false), nil
}

// View is a comparison as it is shown. What says why pods are replaced is said at the object, too where it does not change.
func (d ObjectDiff) View(from, to view.Side) view.Diff {
	shown := view.Diff{From: from, To: to}
	why := map[string]string{}
	for _, o := range d.Restarts {
		why[o.Object] = oneLine(o.Reason)
	}
	for _, part := range []struct {
		to      *[]view.DiffObject
		objects []DiffObject
	}{{&shown.Created, d.Created}, {&shown.Changed, d.Changed}, {&shown.Deleted, d.Deleted}} {
		for _, o := range part.objects {
			*part.to = append(*part.to, view.DiffObject{Object: oneLine(o.Object), Restarts: why[o.Object], Lines: shownLines(o)})
			delete(why, o.Object)
		}
	}
	for _, o := range d.Restarts { // their configuration changes
		if text, ok := why[o.Object]; ok {
			shown.Changed = append(shown.Changed, view.DiffObject{Object: oneLine(o.Object), Restarts: text})
		}
	}
	return shown
}

// shownLines are the fields of an object, each line with its mark first, behind what there is to say of it.
func shownLines(o DiffObject) (lines []string) {
	if o.Reason != "" {
		lines = append(lines, string(DiffPlain)+" "+oneLine(o.Reason))
	}
	for _, f := range o.Fields {
		for _, line := range f.lines() {
			text := strings.TrimPrefix(line.Text, "    ")
			if rest, ok := strings.CutPrefix(text, "  "+string(line.Mark)+" "); ok { // a line of a text
				text = "  " + rest
			}
			lines = append(lines, string(line.Mark)+" "+text)
		}
	}
	return lines
}
