package reconciler

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLesson12_EndlessRendersLeaveTurns: passes wait for a turn while turns come, and go on without where none does.
func TestLesson12_EndlessRendersLeaveTurns(t *testing.T) {
	for passes, most := range map[int]int{1: 1, 2: 1, 4: 3, 16: 12} {
		synctest.Test(t, func(t *testing.T) {
			turns := newTurns(passes)
			for range most {
				if !turns.take(t.Context()) {
					t.Fatalf("of %d passes less than %d may render", passes, most)
				}
			}
			got := make(chan bool, 1)
			go func() { got <- turns.take(t.Context()) }()
			time.Sleep(stuckAfter - time.Millisecond)
			turns.give()
			if !<-got {
				t.Error("a turn came, and who waited did not get it")
			}
			began := time.Now()
			if turns.take(t.Context()) {
				t.Error("there is one more than there may be")
			}
			if waited := time.Since(began); waited > stuckAfter {
				t.Errorf("nothing came for %s", waited)
			}
			began = time.Now()
			if turns.take(t.Context()) || time.Since(began) > 0 {
				t.Error("it is waited for what nobody gives back")
			}
		})
	}
}
