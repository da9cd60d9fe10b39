package reconciler

import (
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

// basis is what a pass depended on in Git. While all of it stands, a new commit is none of the key's business.
type basis struct {
	known  bool // the pass came to an end that the rest accounts for
	dir    string
	folder string   // Git object of dir, and of that of the release files: what a pass that is still choosing or rendering certainly depends on
	tip    string   // of the polled branch, or branches
	names  []string // of the environment, the present one first
	files  string   // Git objects of sluice.yaml and the release file
	// settled: these two files alone say what is to be done.
	settled  bool
	follow   config.Follow
	revision string // that was followed
	request  render.Request
	trace    render.Trace
}

// stands reports whether a new snapshot changes nothing for the key.
func (b basis) stands(p place) bool {
	if !b.known || b.dir != p.dir {
		return false
	}
	if b.tip != p.tips() && b.files != p.files(b.names) {
		return false
	}
	switch {
	case b.settled, b.follow.Pin: // the release file says the pin, and stands
		return true
	case b.follow.Tip():
		return b.tip == p.tips() || b.trace.Holds(elsewhere.Over(p.snap.tree, nil), b.request)
	}
	revision, err := p.snap.follow(b.follow, p.app.Metadata.Name)
	return err == nil && revision == b.revision
}

// urgent reports whether a running pass has to give way to a new snapshot. While it chooses or renders, what it depends
// on is not known yet, and only a change in its own folder counts; it looks again when it knows. Otherwise the commits of
// others would never let a long render end.
func (b basis) urgent(p place) bool {
	return b.known || b.folder == "" || b.dir != p.dir || b.folder != p.folder()
}

// look notes that the pass has begun to look at its place.
func (p *Pass) look() {
	env, was := p.Environment, []string(nil)
	if found, ok := p.Place.app.Environment(env); ok {
		was = found.Was
	}
	names := append([]string{env}, was...)
	p.target.mu.Lock()
	defer p.target.mu.Unlock()
	p.target.basis = basis{
		dir: p.Place.dir, folder: p.Place.folder(), tip: p.Place.tips(), names: names, files: p.Place.files(names),
	}
}

// know notes what the pass turned out to depend on. It returns false where a newer snapshot has arrived meanwhile that
// matters: the newest revision wins.
func (p *Pass) know(change func(*basis)) bool {
	p.target.mu.Lock()
	change(&p.target.basis)
	p.target.basis.known = true
	now := p.target.basis
	p.target.mu.Unlock()
	found, err := p.agent.catalog.find(p.Application)
	return err == nil && (found.snap == p.Place.snap && found.ledger == p.Place.ledger || now.stands(found))
}
