package promote

import (
	"context"
	"fmt"
	"slices"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

// made is what a render came to. Fault is why there is none.
type made struct {
	request        render.Request
	trace          render.Trace
	inputs, digest string
	fault          error
}

// same reports whether two renders came to the same, as two releases do.
func (m made) same(o made) bool {
	return m.fault == nil && o.fault == nil && (m.inputs == o.inputs || m.digest == o.digest)
}

// Renderer renders: worker.Pool does.
type Renderer interface {
	Render(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error)
}

// memo remembers the last renders of an environment, by what they read: of hundreds of commits few render to something new.
type memo struct{ all []made }

// remembered bounds them.
const remembered = 64

// of is the render of a revision, the same as an earlier one where every answer from Git is the same.
func (m *memo) of(ctx context.Context, by Renderer, tree *gitsource.Tree, charts elsewhere.Source, req render.Request) (made, error) {
	over := elsewhere.Over(tree, charts)
	for _, known := range m.all {
		if known.trace.Holds(over, req) {
			return known, nil
		}
	}
	out, err := by.Render(ctx, over, req)
	if missing := over.Missing(); err != nil && len(missing) > 0 {
		if passing := func(l elsewhere.Missing) bool { return !elsewhere.Lasting(l.Err) }; slices.ContainsFunc(missing, passing) || ctx.Err() != nil {
			return made{}, fmt.Errorf("render %s at %.7s: %w", req.Environment, tree.Revision(), err)
		}
		return made{request: req, fault: err}, nil // and is not remembered: the chart may be had one day
	}
	fresh := made{request: req, fault: err}
	if err == nil {
		fresh.trace, fresh.inputs, fresh.digest = out.Trace, out.Inputs, out.Digest
	} else {
		trace, known := render.TraceOf(err)
		if !known || ctx.Err() != nil {
			return made{}, fmt.Errorf("render %s at %.7s: %w", req.Environment, tree.Revision(), err)
		}
		fresh.trace = trace
	}
	if m.all = append([]made{fresh}, m.all...); len(m.all) > remembered {
		m.all = m.all[:remembered]
	}
	return fresh, nil
}

// memos are those of several environments.
type memos map[string]*memo

func (m *memos) of(environment string) *memo {
	if *m == nil {
		*m = memos{}
	}
	if (*m)[environment] == nil {
		(*m)[environment] = &memo{}
	}
	return (*m)[environment]
}

// render is what an environment of the application came to at a revision; false where it was not there.
func (k *Keeper) render(ctx context.Context, s Subject, revision string) (made, render.Request, bool, error) {
	tree, err := k.Git.Tree(revision)
	if err != nil {
		return made{}, render.Request{}, false, fmt.Errorf("read %.7s: %w", revision, err)
	}
	req, ok := s.at(tree, s.Environment)
	if !ok {
		return made{}, req, false, nil
	}
	rendered, err := k.memos.of(s.Environment).of(ctx, s.Renderer, tree, s.Charts, req)
	return rendered, req, true, err
}

// at is how an environment of an application was rendered at a revision, by the file of then; false where it was not there.
// An environment that follows its pin has the rules of the tip, of which only the source is that of the revision.
func (s Subject) at(tree *gitsource.Tree, environment string) (render.Request, bool) {
	req := render.Request{Application: s.Application, Environment: environment, Capabilities: s.Capabilities}
	rules, known := s.Rules.Environment(environment)
	dir, err := config.Locate(tree, s.Application, s.Dir, s.Repository, s.Rules.Was...)
	if err != nil || !known {
		return req, false
	}
	req.Dir = dir
	if rules.Follow.Tip() {
		app, faults := config.Load(tree, dir)
		if app == nil {
			return req, false
		}
		then, known := app.Environment(environment)
		for _, was := range rules.Was {
			if !known {
				then, known = app.Environment(was)
			}
		}
		if !known || len(faults.For(then.Name)) > 0 {
			return req, false
		}
		rules, req.Source = then, then.Source
	} else if req.Source, err = config.LoadSource(tree, dir, environment, rules.Was...); err != nil {
		return req, false
	}
	req.Namespace, req.Labels, req.Annotations = rules.Namespace, rules.Labels, rules.Annotations
	return req, true
}
