package gitsource

import (
	"container/list"
	"sync"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
)

// lru keeps what was parsed from objects, by hash; an object never changes, so it is never wrong. It is bounded by the
// sum of what its values weigh, not by their number.
type lru[V any] struct {
	mu     sync.Mutex
	max    int
	weight int
	order  *list.List // of *kept[V], the latest used first
	byHash map[store.Hash]*list.Element
}

type kept[V any] struct {
	hash   store.Hash
	value  V
	weight int
}

func newLRU[V any](maxWeight int) *lru[V] {
	return &lru[V]{max: maxWeight, order: list.New(), byHash: map[store.Hash]*list.Element{}}
}

func (c *lru[V]) get(h store.Hash) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byHash[h]
	if !ok {
		var none V
		return none, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*kept[V]).value, true
}

// put keeps a value. One that is heavier than everything together is not kept.
func (c *lru[V]) put(h store.Hash, v V, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byHash[h]; ok || weight > c.max {
		return
	}
	c.byHash[h] = c.order.PushFront(&kept[V]{h, v, weight})
	c.weight += weight
	for c.weight > c.max {
		last := c.order.Back()
		old := c.order.Remove(last).(*kept[V])
		delete(c.byHash, old.hash)
		c.weight -= old.weight
	}
}
