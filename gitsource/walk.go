package gitsource

import (
	"container/heap"
	"context"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
)

// walk is the commits that are still to be visited, and the marks of those seen. It goes on while some of them matter.
type walk struct {
	repo    *Repository
	mirror  *mirror
	matters func(mark int) bool
	marks   map[store.Hash]int
	queue   commitQueue
	open    int // how many in the queue matter
}

// walk begins at these commits, in their order.
func (r *Repository) walk(m *mirror, matters func(int) bool, from ...start) (*walk, error) {
	w := &walk{repo: r, mirror: m, matters: matters, marks: map[store.Hash]int{}}
	for _, s := range from {
		c, err := r.presentCommit(m, s.hash)
		if err != nil {
			return nil, err
		}
		w.visit(s.hash, c, s.mark)
	}
	return w, nil
}

type start struct {
	hash store.Hash
	mark int
}

// next visits the newest commit that waits, and marks its parents as it is marked and with more.
func (w *walk) next(more func(store.Hash) int) error {
	h := w.pop()
	c, err := w.repo.commit(w.mirror, h)
	if err != nil {
		return w.repo.lost(w.mirror, err)
	}
	mark := w.marks[h]
	if more != nil {
		mark |= more(h)
	}
	for _, p := range c.parents {
		if w.marks[p]|mark == w.marks[p] {
			continue
		}
		pc, err := w.repo.commit(w.mirror, p)
		if err != nil {
			return w.repo.lost(w.mirror, err)
		}
		w.visit(p, pc, mark)
	}
	return nil
}

// run visits until nothing that matters is left; seen is told of each commit before its parents are marked.
func (w *walk) run(ctx context.Context, more func(store.Hash) int, seen func(store.Hash)) error {
	for steps := 0; w.open > 0; steps++ {
		if steps%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		seen(w.queue.items[0].hash)
		if err := w.next(more); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) visit(h store.Hash, c commitNode, mark int) {
	old := w.marks[h]
	w.marks[h] = old | mark
	queued := w.queue.has(h)
	if queued && w.matters(old) {
		w.open--
	}
	if w.matters(w.marks[h]) {
		w.open++
	}
	if !queued {
		heap.Push(&w.queue, waiting{h, c.time})
	}
}

func (w *walk) pop() store.Hash {
	next := heap.Pop(&w.queue).(waiting)
	if w.matters(w.marks[next.hash]) {
		w.open--
	}
	return next.hash
}

type waiting struct {
	hash store.Hash
	time int64
}

// commitQueue is a heap, the newest commit first.
type commitQueue struct {
	items []waiting
	here  map[store.Hash]struct{}
}

func (q *commitQueue) Len() int           { return len(q.items) }
func (q *commitQueue) Less(i, j int) bool { return q.items[i].time > q.items[j].time }
func (q *commitQueue) Swap(i, j int)      { q.items[i], q.items[j] = q.items[j], q.items[i] }

// Push is for container/heap.
func (q *commitQueue) Push(x any) {
	if q.here == nil {
		q.here = map[store.Hash]struct{}{}
	}
	item := x.(waiting)
	q.here[item.hash] = struct{}{}
	q.items = append(q.items, item)
}

// Pop is for container/heap.
func (q *commitQueue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	delete(q.here, last.hash)
	return last
}

func (q *commitQueue) has(h store.Hash) bool { _, ok := q.here[h]; return ok }
