package main

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// behind is how far an environment is from what it will have next.
type behind struct {
	// Of is the environment that it is promoted from, or the branch that it follows.
	Of       string `json:"of"`
	Revision string `json:"revision"` // what that one has
	// Commits are those, along first parents, that change this environment. At least: further back nobody looked.
	Commits int  `json:"commits"`
	AtLeast bool `json:"atLeast,omitempty"`
}

// onlooker reads the branch that agents poll, to say how environments stand towards it.
type onlooker struct {
	repo   *gitsource.Repository
	branch string // its short name
	tip    string
	tree   *gitsource.Tree   // of the tip
	apps   map[string]placed // by name
	faults []string          // what is wrong with their files
	words  fs.FS             // that has the release files of a ledger; nil: they are beside sluice.yaml
}

// placed is an application and its folder.
type placed struct {
	app *config.Application
	dir string
}

// lookAround fetches the branch that a repository calls its own, and that of its ledger. An empty one has none.
func lookAround(ctx context.Context, of remotes) (*onlooker, error) {
	if of.unread != nil {
		return nil, of.unread
	}
	o, err := lookAt(ctx, of.code)
	if err != nil || of.code == of.ledger {
		return o, err
	}
	ref, err := of.ledger.DefaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	found, err := of.ledger.Fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
	o.words, err = of.ledger.Tree(found[ref])
	return o, err
}

// release is the release file of an environment. One with faults says nothing that could be shown.
func (o *onlooker) release(dir string, app *config.Application, env config.Environment) config.Release {
	tree := fs.FS(o.tree)
	if o.words != nil {
		tree, dir = o.words, config.LedgerDir(o.words, app.Metadata.Name, app.Was)
	}
	words, _, _ := config.LoadRelease(tree, dir, env.Name, env.Was) //nolint:errcheck // see above
	return words
}

func lookAt(ctx context.Context, repo *gitsource.Repository) (*onlooker, error) {
	ref, err := repo.DefaultBranch(ctx)
	if err != nil {
		return nil, err
	}
	found, err := repo.Fetch(ctx, ref, record.Ref("*"))
	if err != nil {
		return nil, err
	}
	o := &onlooker{repo: repo, branch: path.Base(ref), tip: found[ref], apps: map[string]placed{}}
	if o.tree, err = repo.Tree(o.tip); err != nil {
		return nil, err
	}
	return o, fs.WalkDir(o.tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // a folder that cannot be read has no application that can
		}
		if d.Name() == config.FileName && !d.IsDir() {
			o.take(path.Dir(name))
		}
		return nil
	})
}

// take reads the application of a folder. Of two with one name the first is the one.
func (o *onlooker) take(dir string) {
	app, faults := config.Load(o.tree, dir)
	for _, fault := range faults {
		o.faults = append(o.faults, fault.Error())
	}
	if app == nil {
		return
	}
	name := app.Metadata.Name
	if first, there := o.apps[name]; there {
		o.faults = append(o.faults, fmt.Sprintf("application %q is in %s and in %s", name, first.dir, dir))
		return
	}
	o.apps[name] = placed{app, dir}
}

// look adds to the rows what Git asks for.
func (o *onlooker) look(ctx context.Context, rows []environmentStatus, now time.Time) {
	for i := range rows {
		row := &rows[i]
		at, ok := o.apps[row.Application]
		if !ok {
			continue
		}
		app, dir := at.app, at.dir
		env, ok := app.Environment(row.Environment)
		if !ok {
			row.Blocks, row.hindered = "the branch has no such environment any more: what runs stays", byBranch
			continue
		}
		for _, next := range o.ahead(*env, dir, row.Application, rows) {
			if b, ok := o.behind(ctx, *row, *env, dir, next); ok && (row.Behind == nil || row.Behind.Commits < b.Commits) {
				row.Behind = &b
			}
		}
		row.Blocks, row.hindered = blocks(*row, o.tree, dir, app.Metadata.Name, *env, o.release(dir, app, *env), now)
	}
}

// ahead is what an environment may have next: what is proven in those that it is promoted from, else the branch.
func (o *onlooker) ahead(env config.Environment, dir, application string, rows []environmentStatus) (next []behind) {
	from := config.PromotedFrom(o.tree, dir, env.Name)
	for _, r := range rows {
		if r.Application == application && slices.Contains(from, r.Environment) && r.Runs != "" {
			next = append(next, behind{Of: r.Environment, Revision: r.Runs})
		}
	}
	if len(from) == 0 && (env.Follow.Tip() || env.Follow.Pin) {
		next = append(next, behind{Of: o.branch, Revision: o.tip})
	}
	return next
}

// behind counts the commits between what an environment runs and what it may have next that change it; false: that cannot be
// told, as where a branch was rewritten.
func (o *onlooker) behind(ctx context.Context, row environmentStatus, env config.Environment, dir string, next behind) (behind, bool) {
	if row.Runs == "" {
		return next, false
	}
	of := reconciler.Distance{Git: o.repo, Application: row.Application, Rules: env, Dir: dir, Renderer: rendererOf(ctx), Charts: fetchedCharts(ctx)}
	commits, whole, known := of.Between(ctx, row.Runs, next.Revision)
	next.Commits, next.AtLeast = commits, known && !whole
	return next, known
}

// hindrance is what kind of thing keeps an environment from having what is next; empty: nothing does.
type hindrance string

// The hindrances.
const (
	byPause   hindrance = "pause"
	byFailure hindrance = "failure" // of the release that is there, or it is not proven yet
	byWindow  hindrance = "window"
	byPin     hindrance = "pin"
	bySilence hindrance = "silence" // its agent told nothing of it
	byBranch  hindrance = "branch"  // which has it no more
)

// blocks says what keeps an environment from having what is next; empty: nothing, or nothing that is known.
func blocks(row environmentStatus, tree fs.FS, dir, application string, env config.Environment, words config.Release, now time.Time) (string, hindrance) {
	windows := policies.Plan{Windows: reconciler.WindowsOf(nil, application, env), Override: reconciler.OverrideOf(words)}
	late := row.Behind != nil && row.Behind.Commits > 0
	switch open := windows.Openness(now); {
	case env.State == config.Paused || words.Paused:
		return "it is paused", byPause
	case row.Phase != policies.Healthy:
		return row.Reason, byFailure
	case late && !open.Open:
		return open.Reason, byWindow
	case late && env.Follow.Pin && words.Revision != "" && words.Revision == row.Runs:
		return "its pin: " + config.ReleasePath(env.Name), byPin
	case late && len(config.PromotedFrom(tree, dir, env.Name)) == 0:
		return "its agent has told nothing of it yet", bySilence
	}
	return "", ""
}
