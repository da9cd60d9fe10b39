package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// fromNotes shows what agents wrote into Git, without a cluster. While a repository does not answer, it says since when, and goes
// on with what was there last.
type fromNotes struct {
	repositories []*noted
	started      time.Time
	now          func() time.Time
	bell         view.Bell
}

var _ view.Source = (*fromNotes)(nil)

// newFromNotes opens repositories and asks none of them yet.
func newFromNotes(of []notesFlags, now func() time.Time) (*fromNotes, error) {
	f := &fromNotes{now: now, started: now()}
	shared := map[string]int{} // ledgers by how many repositories have them
	for _, flags := range of {
		shared[flags.ledger]++
	}
	for _, flags := range of {
		n, err := openNoted(flags, now, f.bell.Ring)
		if err != nil {
			f.close()
			return nil, err
		}
		n.shares = flags.ledger != "" && shared[flags.ledger] > 1
		for taken, i := n.name, 2; slices.ContainsFunc(f.repositories, func(o *noted) bool { return o.name == n.name }); i++ {
			n.name = fmt.Sprintf("%s-%d", taken, i)
		}
		f.repositories = append(f.repositories, n)
	}
	return f, nil
}

func (f *fromNotes) close() {
	for _, n := range f.repositories {
		n.close()
	}
}

// run asks every repository again and again, until ctx ends.
func (f *fromNotes) run(ctx context.Context, every time.Duration) {
	var polls sync.WaitGroup
	for _, n := range f.repositories {
		polls.Go(func() {
			next := time.NewTicker(every)
			defer next.Stop()
			for {
				n.poll(ctx)
				select {
				case <-ctx.Done():
					return
				case <-next.C:
				}
			}
		})
	}
	polls.Wait()
}

// Board implements view.Source.
func (f *fromNotes) Board(context.Context) (view.Board, error) {
	b := view.Board{
		At: f.now(), Origin: view.FromNotes, Cells: []view.Cell{},
		Agent: view.Agent{Name: "Git notes", Version: thisBuild().Version, Started: f.started},
	}
	of := map[string]string{} // repositories by application
	for _, n := range f.repositories {
		look, stale := n.last()
		b.Agent.Repositories = append(b.Agent.Repositories, n.shown()...)
		for _, fault := range look.faults {
			b.Agent.Faults = append(b.Agent.Faults, n.name+": "+fault)
		}
		for _, c := range look.cells {
			if first, there := of[c.Application]; there && first != n.name {
				b.Agent.Faults = append(b.Agent.Faults, fmt.Sprintf("application %q is in %s and in %s: that of %s is shown", c.Application, first, n.name, first))
				continue
			}
			of[c.Application] = n.name
			c.Repository, c.Stale = n.name, stale
			b.Cells = append(b.Cells, c)
		}
	}
	b.Agent.Faults = slices.Compact(b.Agent.Faults)
	slices.SortFunc(b.Cells, func(x, y view.Cell) int {
		return cmp.Or(cmp.Compare(x.Application, y.Application), cmp.Compare(x.Place, y.Place), cmp.Compare(x.Environment, y.Environment))
	})
	return b, nil
}

// Changes implements view.Source.
func (f *fromNotes) Changes(ctx context.Context) <-chan struct{} { return f.bell.Listen(ctx) }

// History implements view.Source.
func (f *fromNotes) History(_ context.Context, application string) (view.History, error) {
	n, look, stale := f.of(application)
	if n == nil {
		return view.History{}, view.ErrUnknown
	}
	history := look.history(application, f.now())
	history.Stale = stale
	return history, nil
}

// Objects implements view.Source: there is no cluster.
func (f *fromNotes) Objects(_ context.Context, of view.Key) ([]view.Object, error) {
	return nil, f.nothingOf(of)
}

// Manifest implements view.Source: there is no cluster.
func (f *fromNotes) Manifest(_ context.Context, of view.Key, _ string) (string, error) {
	return "", f.nothingOf(of)
}

func (f *fromNotes) nothingOf(of view.Key) error {
	if _, look, _ := f.of(of.Application); look.has(of) {
		return view.ErrElsewhere
	}
	return view.ErrUnknown
}

// Diff implements view.Source. Only what notes name can be compared: a look renders, and nobody is to have anything rendered.
func (f *fromNotes) Diff(ctx context.Context, from, to view.Side) (view.Diff, error) {
	n, look, _ := f.of(from.Application)
	for _, side := range []*view.Side{&from, &to} {
		if side.Revision == "" {
			side.Revision = look.present(side.Key)
		}
	}
	if n == nil || from.Application != to.Application || !look.names(from) || !look.names(to) {
		return view.Diff{}, view.ErrUnknown
	}
	return n.diff(ctx, look, from, to)
}

// of finds the repository of an application; nil: there is none.
func (f *fromNotes) of(application string) (*noted, *sight, string) {
	for _, n := range f.repositories {
		look, stale := n.last()
		if slices.ContainsFunc(look.cells, func(c view.Cell) bool { return c.Application == application }) {
			return n, look, stale
		}
	}
	return nil, &sight{}, ""
}

// subjectAt is a key as lines have it.
func subjectAt(of view.Key) record.Subject { return record.Subject(of) }
