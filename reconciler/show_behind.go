package reconciler

import (
	"context"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// distances are how far environments are from those that they are promoted from, as it was counted last. It is counted beside
// the passes, one after the other, and only for those that somebody looked at.
type distances struct {
	mu    sync.Mutex
	known map[Key]distance
	due   map[Key]distanceDue
	poked chan struct{}
}

// distance is an answer; made is nil where nobody can tell.
type distance struct {
	asked string
	made  *view.Behind
}

type distanceDue struct {
	asked string
	of    Distance
	runs  string
	next  map[string]string // what it may have next, by the environment that has it
}

// resting is how many times as long as a count took nothing is counted: it costs a sixth of one core at the most.
const resting = 5

func newDistances() distances {
	return distances{known: map[Key]distance{}, due: map[Key]distanceDue{}, poked: make(chan struct{}, 1)}
}

// behindOf is how far an environment is behind, as far as that was counted; else it will be.
func (v *View) behindOf(k Key, c view.Cell, at place) *view.Behind {
	runs := c.Release.Revision
	if c.Proven != nil {
		runs = c.Proven.Revision
	} else if c.Phase != string(policies.Healthy) {
		runs = ""
	}
	env, ok := at.app.Environment(k.Environment)
	if runs == "" || !ok || env.Promotion == nil {
		return nil
	}
	proven, next, asked := v.askedOf(k).proven, map[string]string{}, runs+" "+at.object
	for _, from := range env.Promotion.From {
		if revision := proven[from]; revision != "" {
			next[from] = revision
			asked += " " + from + " " + revision
		}
	}
	if len(next) == 0 {
		return nil
	}
	d := &v.distances
	d.mu.Lock()
	defer d.mu.Unlock()
	known := d.known[k]
	if known.asked != asked && d.due[k].asked != asked {
		d.due[k] = distanceDue{asked, Distance{Git: at.source.git, Application: k.Application, Rules: *env, Dir: at.dir, Renderer: v.agent.renders(k.Environment), Charts: v.agent.chartsOf(k.Application)}, runs, next}
		select {
		case d.poked <- struct{}{}:
		default:
		}
	}
	return known.made
}

// count counts what is due until ctx ends.
func (v *View) count(ctx context.Context) {
	for {
		k, due, ok := v.distances.take()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-v.distances.poked:
			}
			continue
		}
		began := time.Now()
		made := due.count(ctx)
		if ctx.Err() != nil {
			return
		}
		if v.distances.keep(k, distance{due.asked, made}) {
			v.changes.note()
		}
		timer := time.NewTimer(resting * time.Since(began))
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take takes one that is due. It stays known as before until it is counted.
func (d *distances) take() (Key, distanceDue, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for k, due := range d.due {
		delete(d.due, k)
		return k, due, true
	}
	return Key{}, distanceDue{}, false
}

// keep keeps an answer, and reports whether it is another than before.
func (d *distances) keep(k Key, now distance) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.known[k].made
	d.known[k] = now
	return before == nil && now.made != nil || before != nil && (now.made == nil || *before != *now.made)
}

// count is the longest of the ways to what it may have next; nil: nobody can tell.
func (due distanceDue) count(ctx context.Context) (longest *view.Behind) {
	for from, revision := range due.next {
		commits, whole := 0, true
		if revision != due.runs {
			var known bool
			if commits, whole, known = due.of.Between(ctx, due.runs, revision); !known {
				continue
			}
		}
		if longest == nil || commits > longest.Commits {
			longest = &view.Behind{Of: from, Commits: commits, AtLeast: !whole}
		}
	}
	return longest
}
