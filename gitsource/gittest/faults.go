package gittest

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The faults that can be ordered.
const (
	// RefusePush makes the pre-receive hook say no.
	RefusePush FaultKind = "refuse-push"
	// DropPush breaks the connection after a push was carried out and before its answer.
	DropPush FaultKind = "drop-push"
	// DropPushBefore breaks it before the push is carried out.
	DropPushBefore FaultKind = "drop-push-before"
	// DropFetch breaks it in the middle of a pack.
	DropFetch FaultKind = "drop-fetch"
	// Down answers everything with 503, and closes SSH connections at once.
	Down FaultKind = "down"
	// Slow waits before each answer.
	Slow FaultKind = "slow"
)

// Fault is an order for things to go wrong.
type Fault struct {
	Kind  FaultKind
	Repo  string        // only there; "" everywhere
	Count int           // how often; 0 until lifted
	Delay time.Duration // for Slow
}

type faults struct {
	mu     sync.Mutex
	orders []*Fault
}

// Order lets things go wrong from now on.
func (s *Server) Order(f Fault) error {
	kinds := []FaultKind{RefusePush, DropPush, DropPushBefore, DropFetch, Down, Slow}
	if !slices.Contains(kinds, f.Kind) {
		return fmt.Errorf("order fault: kind %q is none of %q", f.Kind, kinds)
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.orders = append(s.faults.orders, &f)
	return nil
}

// Lift takes all orders back.
func (s *Server) Lift() {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.orders = nil
}

// take uses up one fault of the kind, if one is ordered.
func (f *faults) take(kind FaultKind, repo string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, o := range f.orders {
		if o.Kind != kind || o.Repo != "" && o.Repo != repo {
			continue
		}
		taken := *o
		if o.Count > 0 {
			if o.Count--; o.Count == 0 {
				f.orders = slices.Delete(f.orders, i, i+1)
			}
		}
		return taken, true
	}
	return Fault{}, false
}

// Count is how many requests of a kind there were, and their bytes.
type Count struct {
	Requests int64 `json:"requests"`
	In       int64 `json:"in"`  // bytes that clients sent, without headers
	Out      int64 `json:"out"` // bytes that the server sent, without headers
}

// The kinds of requests that are counted. Over SSH a connection is one of UploadPackSSH or ReceivePackSSH.
const (
	AdvertiseFetch = "advertise-fetch"
	AdvertisePush  = "advertise-push"
	List           = "list"
	Fetch          = "fetch"
	Push           = "push"
	UploadPackSSH  = "ssh-upload-pack"
	ReceivePackSSH = "ssh-receive-pack"
	Refused        = "refused" // not let in
)

type counts struct {
	mu sync.Mutex
	by map[string]Count
}

func (c *counts) add(kind string, in, out int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]Count{}
	}
	n := c.by[kind]
	c.by[kind] = Count{n.Requests + 1, n.In + in, n.Out + out}
}

// Requests is what was counted since the start or the last ResetRequests, by kind.
func (s *Server) Requests() map[string]Count {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	out := map[string]Count{}
	for k, v := range s.counts.by {
		out[k] = v
	}
	return out
}

// Settle returns when what was asked over SSH is counted: a client can be done a moment before the server is. Nobody may ask
// meanwhile.
func (s *Server) Settle() { s.working.Wait() }

// ResetRequests begins to count anew.
func (s *Server) ResetRequests() {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	s.counts.by = nil
}
