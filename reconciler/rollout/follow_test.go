package rollout

import (
	"testing"
	"time"
)

// TestFollowTakesTurns: only so many namespaces begin to be watched at once; a hurried one waits for nobody, and one that
// nobody asks for any more takes no turn.
func TestFollowTakesTurns(t *testing.T) {
	o := New(Config{Grace: time.Nanosecond})
	begin := func(f *follower) chan bool {
		began := make(chan bool, 1)
		go func() { began <- f.await(t.Context()) }()
		return began
	}
	for range turns {
		if !<-begin(newFollower(o, "early")) {
			t.Fatal("a namespace with a free turn is not watched")
		}
	}
	hurried, left := newFollower(o, "hurried"), newFollower(o, "left")
	waits, leaves := begin(hurried), begin(left)
	select {
	case <-waits:
		t.Fatal("more namespaces began than there are turns")
	case <-leaves:
		t.Fatal("more namespaces began than there are turns")
	case <-time.After(turnTakes / 10): // nothing says that something does not happen
	}
	close(hurried.hurry)
	close(left.done)
	if !<-waits || <-leaves {
		t.Error("hurry does not end the wait, or what nobody asks for is watched")
	}
	if !<-begin(newFollower(o, "late")) {
		t.Error("no turn came back")
	}
}
