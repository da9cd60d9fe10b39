package reconciler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// madeCells are the cells as they were put together last.
type madeCells struct {
	mu    sync.Mutex
	known bool
	count uint64 // of the changes that are in them
	cells []view.Cell
}

// Board implements view.Source. Between two changes it costs a copy.
func (v *View) Board(context.Context) (view.Board, error) {
	now := v.agent.now()
	return view.Board{At: now, Origin: view.FromAgent, Cells: slices.Clone(v.all()), Agent: v.agentAt(now)}, nil
}

// all are the cells of all environments. Nobody may change them.
func (v *View) all() []view.Cell {
	v.made.mu.Lock()
	defer v.made.mu.Unlock()
	count := v.changes.counted() // what changes from here on is told again
	if !v.made.known || v.made.count != count {
		v.made.known, v.made.count, v.made.cells = true, count, v.together()
	}
	return v.made.cells
}

// together puts the cells together: what passes left, what the files say, and what is asked of people.
func (v *View) together() []view.Cell {
	places := v.agent.catalog.all()
	cells := make([]view.Cell, 0, len(places))
	seen := map[Key]bool{}
	lost := v.lost()
	for name, at := range places {
		columns := ColumnsOf(at.app)
		for i := range at.app.Environments {
			env := &at.app.Environments[i]
			key := Key{name, env.Name}
			if !v.agent.serves(env.Name) || seen[key] {
				continue
			}
			seen[key] = true
			left, _ := v.last(key)
			c := left.cell
			if c.Key == (view.Key{}) {
				c.Key, c.Health, c.Reason = shownKey(key), view.Unseen, "it was not looked at yet"
			}
			c.Repository, c.Labels, c.Place, c.Promotion = at.source.repo.Name, env.Labels, columns[env.Name], PromotionOf(env.Promotion)
			c.Namespace = cmp.Or(c.Namespace, env.Namespace)
			v.complete(&c, at, lost)
			cells = append(cells, c)
		}
	}
	for _, left := range v.others(seen) { // Git has no more of them
		c := left.cell
		v.complete(&c, place{}, lost)
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(a, b view.Cell) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Place, b.Place), cmp.Compare(a.Environment, b.Environment))
	})
	return cells
}

// others are what passes left of environments beside these.
func (v *View) others(than map[Key]bool) map[Key]shown {
	v.mu.Lock()
	defer v.mu.Unlock()
	rest := map[Key]shown{}
	for key, left := range v.cells {
		if !than[key] {
			rest[key] = left
		}
	}
	return rest
}

// complete adds to a cell what its pass does not know.
func (v *View) complete(c *view.Cell, at place, lost map[string]string) {
	key := Key(c.Key)
	if at.source != nil {
		v.tellCommit(at.source, &c.Release)
		if c.Proven != nil {
			proven := *c.Proven
			v.tellCommit(at.source, &proven)
			c.Proven = &proven
		}
		c.Behind = v.behindOf(key, *c, at)
		c.Stale = lost[lostRepository+at.source.repo.Name]
	}
	if served, ok := v.agent.config.Serves(key.Environment); ok {
		c.Cluster = v.agent.sites[served.Cluster].name
		c.Stale = cmp.Or(lost[lostCluster+c.Cluster], c.Stale)
	}
	asked := v.askedOf(key)
	if c.Promotion == nil {
		asked.promotion = nil
	}
	c.Requests = asked.list()
	c.Help = HelpOf(*c)
}

// ColumnsOf are the places of environments in the pipeline of their application.
func ColumnsOf(app *config.Application) map[string]int {
	columns := map[string]int{}
	for range app.Environments { // a pipeline is not longer than that, also where it goes in a circle
		moved := false
		for _, env := range app.Environments {
			if env.Promotion == nil {
				continue
			}
			for _, from := range env.Promotion.From {
				if next := columns[from] + 1; next > columns[env.Name] && next < len(app.Environments) {
					columns[env.Name], moved = next, true
				}
			}
		}
		if !moved {
			break
		}
	}
	return columns
}

// PromotionOf are the rules of a promotion in words; nil: there are none.
func PromotionOf(p *config.Promotion) *view.Promotion {
	if p == nil {
		return nil
	}
	made := &view.Promotion{From: slices.Clone(p.From), By: string(p.By)}
	say := func(format string, args ...any) { made.When = append(made.When, fmt.Sprintf(format, args...)) }
	w := p.When
	if w.HealthyFor > 0 {
		say("healthy for %s", w.HealthyFor)
	}
	if len(w.Checks) > 0 {
		say("checks %s", strings.Join(w.Checks, ", "))
	}
	if w.Releases > 0 {
		say("%d releases proven", w.Releases)
	}
	if w.Quiet > 0 {
		say("nothing proven for %s", w.Quiet)
	}
	if w.Schedule != "" {
		say("at %s %s", w.Schedule, w.TimeZone)
	}
	if p.Group != "" {
		say("together with the group %s", p.Group)
	}
	return made
}
