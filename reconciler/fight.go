package reconciler

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/apply"
)

// An object that drifts again at once after each repair has somebody else who wants it otherwise. The first repairs
// are made at once; after that they become ever more seldom, until it was left alone for a while.
const (
	freeRepairs = 10
	peace       = 5 * time.Minute
)

// fight is how often an object was repaired lately.
type fight struct {
	repairs    int
	last, next time.Time
}

// again returns the fight after one more repair: from the eleventh on the wait doubles, from 1 s to 5 min.
func (f fight) again(now time.Time) fight {
	if now.Sub(f.last) > peace && now.Sub(f.next) > peace {
		f = fight{}
	}
	f.repairs++
	f.last, f.next = now, now
	if over := f.repairs - freeRepairs; over > 0 {
		f.next = now.Add(min(time.Second<<min(over-1, 10), peace))
	}
	return f
}

// fought notes that objects were repaired, and forgets those that have peace.
func (t *target) fought(objects drifted, now time.Time) {
	fights := t.drifting.fights
	maps.DeleteFunc(fights, func(_ apply.ID, f fight) bool { return now.Sub(f.next) > peace })
	for id := range objects {
		if fights == nil {
			fights = map[apply.ID]fight{}
		}
		fights[id] = fights[id].again(now)
	}
	t.drifting.fights = fights
}

// spare takes what is fought over out of what is to be repaired now, unless a person asks.
func (p *Pass) spare() {
	if len(p.target.drifting.fights) == 0 || p.Hurry {
		return
	}
	var spared []string
	for id := range p.Drifted {
		wait := p.target.drifting.fights[id].next.Sub(p.Seen.Now)
		if wait <= 0 {
			continue
		}
		spared = append(spared, id.String())
		delete(p.Drifted, id)
		if p.Later == 0 || wait < p.Later {
			p.Later = wait
		}
	}
	slices.Sort(spared)
	if len(spared) > 0 {
		p.Fought = "drifts again after each repair, so somebody else writes it too: " + strings.Join(spared, ", ")
	}
}
