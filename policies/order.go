package policies

import (
	"cmp"
	"slices"
)

// firstOrder is the lowest order among the staged workloads, of which there is one at least.
func (s State) firstOrder() int {
	return slices.MinFunc(s.Staged, func(a, b Staged) int { return cmp.Compare(a.Order, b.Order) }).Order
}

// inOrder lets the workloads of the next order go on in this stage; false where all of them have.
func (s State) inOrder(p Plan, o Observation) (State, bool) {
	next, more := 0, false
	for _, w := range s.Staged {
		if w.Order > s.Order && (!more || w.Order < next) {
			next, more = w.Order, true
		}
	}
	if !more {
		return s, false
	}
	s.Order, s.Applied, s.StageBegan = next, false, o.Now
	s, _ = s.size(p, o)
	return s, true
}
