package reconciler

import (
	"context"
	"path"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/render"
)

// What a look at the history may cost: a commit of which nothing is rendered takes microseconds.
const (
	longestLook = 1000
	mostRenders = 50
)

// Distance counts the commits that change an environment between what it has and what it may have next.
type Distance struct {
	Git         *gitsource.Repository
	Application string
	// Rules are those of the tip. What the cluster is counts for nothing here.
	Rules config.Environment
	Dir   string // of sluice.yaml
	// Renderer renders what the commits have.
	Renderer promote.Renderer
	// Charts has those from elsewhere.
	Charts elsewhere.Source
}

// Between counts the commits, along first parents, after the one that runs up to next. Whole: it did not look so far back that
// it gave up. Known: false where that cannot be told, as where a branch was rewritten.
func (d Distance) Between(ctx context.Context, runs, next string) (commits int, whole, known bool) {
	if on, err := d.Git.IsAncestor(ctx, runs, next); err != nil || !on {
		over, err := d.Git.IsAncestor(ctx, next, runs)
		return 0, true, err == nil && over // it is ahead
	}
	has, err := d.render(ctx, runs)
	if err != nil {
		return 0, false, false
	}
	at := d.rendering(ctx, next)
	for looked, rendered := 0, 1; next != runs && at.inputs != has.inputs; looked++ {
		parent, ok, err := d.Git.FirstParent(next)
		if err != nil || !ok {
			return 0, false, false
		}
		if looked == longestLook || rendered == mostRenders {
			return commits, false, true
		}
		before := at
		if !d.holds(at, parent) {
			before, rendered = d.rendering(ctx, parent), rendered+1
		}
		if before.inputs != at.inputs {
			commits++
		}
		at, next = before, parent
	}
	return commits, true, ctx.Err() == nil
}

// renders is what an environment renders to at a commit, as far as it matters here.
type renders struct {
	inputs string // of one that fails, why
	trace  render.Trace
	file   string // Git object of sluice.yaml
}

// rendering takes a commit that does not render for one of its own kind.
func (d Distance) rendering(ctx context.Context, revision string) renders {
	made, err := d.render(ctx, revision)
	if err != nil {
		made.inputs = err.Error()
	}
	return made
}

func (d Distance) render(ctx context.Context, revision string) (renders, error) {
	tree, err := d.Git.Tree(revision)
	if err != nil {
		return renders{}, err
	}
	source, err := config.LoadSource(tree, d.Dir, d.Rules.Name, d.Rules.Was...)
	if err != nil {
		return renders{}, err
	}
	file, err := tree.Object(path.Join(d.Dir, config.FileName))
	if err != nil {
		return renders{}, err
	}
	made, err := d.Renderer.Render(ctx, elsewhere.Over(tree, d.Charts), d.Request(source))
	if err != nil {
		trace, _ := render.TraceOf(err)
		return renders{trace: trace, file: file}, err
	}
	return renders{made.Inputs, made.Trace, file}, nil
}

// Request renders the environment by the rules of the tip.
func (d Distance) Request(source render.Source) render.Request {
	return render.Request{
		Dir: d.Dir, Application: d.Application, Environment: d.Rules.Name, Source: source, Namespace: d.Rules.Namespace, Labels: d.Rules.Labels,
		Annotations: d.Rules.Annotations,
	}
}

// holds reports whether nothing that a rendering read is another at a commit.
func (d Distance) holds(at renders, revision string) bool {
	tree, err := d.Git.Tree(revision)
	if err != nil || at.file == "" {
		return false
	}
	file, err := tree.Object(path.Join(d.Dir, config.FileName))
	if err != nil || file != at.file {
		return false
	}
	source, err := config.LoadSource(tree, d.Dir, d.Rules.Name, d.Rules.Was...)
	return err == nil && at.trace.Holds(elsewhere.Over(tree, nil), d.Request(source))
}
