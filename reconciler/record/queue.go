package record

import (
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
)

const (
	// maxBatch is the most lines of one push: at some 500 bytes a line, 1 MB on the wire before compression.
	maxBatch = 2000
	// rememberedIDs is how many confirmed lines a queue remembers, so that an outbox that is added again before
	// its state is saved costs no push.
	rememberedIDs = 4096
	// maxListeners bounds who is told of one line, for a forge that is down while passes go on.
	maxListeners = 8
)

// queue is one key of the publisher: the lines that wait for one ref.
type queue struct {
	ref, environment string
	notes            Notes

	order     []string          // IDs that wait, oldest first, those of the push under way included
	entries   map[string]*entry // by ID
	confirmed recent

	started   time.Time // of the last push
	notBefore time.Time // after a failure
	failures  int       // in a row
	lastTry   bool      // the attempt at shutdown was made
	status    TargetStatus
	logged    string // the last error that was logged
	loggedAt  time.Time
}

// entry is a line that waits, with everybody who wants to know.
type entry struct {
	line  Line
	since time.Time
	tell  []*listener
}

// listener is the done function of one call of Add; pending are IDs that it is to be told.
type listener struct {
	done    func(ids []string)
	pending []string
}

// add queues one line. Whoever asks for a line that is confirmed already is told later, since Add must not call
// anybody.
func (q *queue) add(line Line, who *listener, now time.Time) {
	if e := q.entries[line.ID]; e != nil {
		if !slices.Contains(e.tell, who) {
			e.tell = append(e.tell[max(0, len(e.tell)-maxListeners+1):], who)
		}
		return
	}
	if q.confirmed.known[line.ID] {
		if !slices.Contains(who.pending, line.ID) {
			who.pending = append(who.pending, line.ID)
		}
		return
	}
	q.entries[line.ID] = &entry{line: line, since: now, tell: []*listener{who}}
	q.order = append(q.order, line.ID)
}

// due returns when the queue may be pushed for its own part, and whether a line in it decides. A line that
// decides does not wait to be gathered, but for the slot of its ref like any other.
func (q *queue) due(interval time.Duration) (at time.Time, decides bool) {
	at = q.entries[q.order[0]].since.Add(interval)
	for _, id := range q.order[:min(len(q.order), maxBatch)] {
		if e := q.entries[id]; e.line.Phase.Decides() {
			at, decides = e.since, true
			break
		}
	}
	return latest(at, q.started.Add(interval), q.notBefore), decides
}

// batch returns the oldest lines, as AppendNotes wants them.
func (q *queue) batch() batch {
	b := batch{notes: q.notes, ref: q.ref, add: map[string][]string{}}
	b.ids = slices.Clone(q.order[:min(len(q.order), maxBatch)])
	for _, id := range b.ids {
		line := q.entries[id].line
		b.add[line.Revision] = append(b.add[line.Revision], line.Text())
		if line.Phase == policies.Healthy {
			b.keep = append(b.keep, line.Revision)
		}
	}
	slices.Sort(b.keep)
	b.keep = slices.Compact(b.keep)
	return b
}

// batch is one push.
type batch struct {
	notes Notes
	ref   string
	ids   []string
	add   map[string][]string
	keep  []string
}

// confirm takes lines that are in the notes out of the queue and returns who has to be told.
func (q *queue) confirm(ids []string) []*listener {
	var told []*listener
	for _, id := range ids {
		e := q.entries[id]
		if e == nil {
			continue // removed while it was pushed
		}
		delete(q.entries, id)
		q.confirmed.put(id)
		for _, who := range e.tell {
			if len(who.pending) == 0 {
				told = append(told, who)
			}
			who.pending = append(who.pending, id)
		}
	}
	q.order = slices.DeleteFunc(q.order, func(id string) bool { return q.entries[id] == nil })
	return told
}

// recent remembers the last confirmed IDs.
type recent struct {
	known map[string]bool
	ring  []string
	next  int
}

func (r *recent) put(id string) {
	if r.known == nil {
		r.known = map[string]bool{}
	}
	if r.known[id] {
		return
	}
	if len(r.ring) < rememberedIDs {
		r.ring = append(r.ring, id)
	} else {
		delete(r.known, r.ring[r.next])
		r.ring[r.next] = id
		r.next = (r.next + 1) % rememberedIDs
	}
	r.known[id] = true
}

func latest(first time.Time, others ...time.Time) time.Time {
	for _, t := range others {
		if t.After(first) {
			first = t
		}
	}
	return first
}
