package policies

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Split is how the traffic of a staged release is shared out, as it was sent last. The zero value: by Git's route, and there
// are no Services of ours.
type Split struct {
	// By is what the rules said of traffic when the stages began.
	By Traffic `json:"by,omitzero"`
	// Stable and Canary name the templates whose pods the two Services select. The canary Service is there once Canary is
	// known.
	Stable string `json:"stable,omitempty"`
	Canary string `json:"canary,omitempty"`
	// Weight is the share of the canary Service in per cent. Above 0, Canary is known and the route is not Whole.
	Weight int `json:"weight,omitempty"`
	// Whole: the route is Git's, and the Services stand beside it. Over: they go.
	Whole bool `json:"whole,omitempty"`
	Over  bool `json:"over,omitempty"`
	// Asked is when this was decided, and Routed since when all parents of the route do it. Waits is since when a stage
	// waits for nothing but that.
	Asked  time.Time `json:"asked,omitzero"`
	Routed time.Time `json:"routed,omitzero"`
	Waits  time.Time `json:"waits,omitzero"`
	// Warm is when the weight of the stage began to rise, and From where.
	Warm time.Time `json:"warm,omitzero"`
	From int       `json:"from,omitempty"`
}

// Routing is what is seen of a route and its Services.
type Routing struct {
	// Stable and Canary count Ready endpoints of the two Services that are pods of their templates.
	Stable, Canary int
	// Accepted: the live route is what was sent last, and every parent accepted that. Why says what is missing.
	Accepted bool
	Why      string
	// Services counts those of the two that are owned.
	Services int
}

// The patience with a route.
const (
	// routeFor is when people are told that a stage waits for the route, and how long a way back waits for one that nobody
	// accepts: unproven pods leave all the same.
	routeFor = time.Minute
	// rises is in how many steps a weight warms up: each costs one request, and the controller's work.
	rises = 10
)

func (s Split) on() bool { return s.By != Traffic{} }

// shares is how the route is sent.
func (s Split) shares() Shares {
	if !s.on() || s.Whole {
		return Shares{}
	}
	return Shares{Split: true, Canary: s.Weight, StableHash: s.Stable, CanaryHash: s.Canary}
}

// Objects are the route and the Services that a split is made of. Proven and next are the manifests of the two releases;
// without next the canary Service stays as it is.
// Each Service is a copy of its own release's, so that a changed port is no matter; the route is the proven one's until no
// proven pod is left.
func (s Split) Objects(form Form, proven, next []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	if !s.on() {
		return nil, nil
	}
	route, service := s.By.Find(proven)
	newRoute, newService := s.By.Find(next)
	if form == Closing {
		service = newService
		if newRoute != nil {
			route = newRoute
		}
	}
	if route == nil || service == nil {
		return nil, errors.New(s.By.Splittable(proven))
	}
	made := []*unstructured.Unstructured{Narrowed(service, s.By.Stable(), s.Stable)}
	if s.Canary != "" && newService != nil {
		made = append(made, Narrowed(newService, s.By.Canary(), s.Canary))
	}
	shared, err := s.By.Share(route, s.shares())
	return append(made, shared), err
}

// share changes how traffic is shared out, which is to be sent then.
func (s State) share(o Observation, change func(*Split)) State {
	change(&s.Split)
	s.Applied, s.Split.Asked, s.Split.Routed = false, o.Now, time.Time{}
	return s
}

// routed notes since when the route is as it was sent.
func (s State) routed(o Observation) State {
	switch {
	case !s.Split.on():
	case !o.Traffic.Accepted:
		s.Split.Routed = time.Time{}
	case s.Split.Routed.IsZero():
		s.Split.Routed = o.Now
	}
	return s
}

// drained reports whether what the route stopped sending to had its time to end what it was at, or nobody accepts the route.
func (s State) drained(o Observation) bool { return !o.Now.Before(s.drainedAt()) }

func (s State) drainedAt() time.Time {
	if r := s.Split.Routed; !r.IsZero() {
		return r.Add(s.Split.By.Drain)
	}
	return s.Split.Asked.Add(routeFor + s.Split.By.Drain)
}

// behind is which of the staged workloads the route sends to; -1: none.
func (s State) behind() int {
	return slices.IndexFunc(s.Staged, func(w Staged) bool { return w.Routed })
}

// risen is how far a weight that warms up is.
func (s Split) risen(target int, now time.Time) int {
	since := now.Sub(s.Warm)
	if s.Warm.IsZero() || since >= s.By.WarmUp || target <= s.From {
		return target
	}
	return max(s.From+1, s.From+(target-s.From)*int(since*rises/s.By.WarmUp)/rises)
}

// riseAt is when a weight that warms up is to rise again.
func (s Split) riseAt(now time.Time) time.Time {
	tick := now.Sub(s.Warm)*rises/s.By.WarmUp + 1
	return s.Warm.Add((s.By.WarmUp*tick + rises - 1) / rises)
}

// tellAt is when people are told that a stage waits for its route.
func (s State) tellAt() time.Time {
	if s.Split.Asked.After(s.Split.Waits) {
		return s.Split.Asked.Add(routeFor)
	}
	return s.Split.Waits.Add(routeFor)
}

// share is the weight that a step means: what it says, or what the number of its pods comes to.
func (c CanaryStep) share(replicas int, capacity Capacity) int {
	if c.Preview {
		return 0
	}
	if c.WeightPercent > 0 {
		return c.WeightPercent
	}
	n, all := max(c.Instances, 1), max(c.Instances, 1)+replicas
	if capacity == Replace {
		n, all = c.Pods(replicas, Replace), max(replicas, 2)
	}
	return max(1, 100*n/all)
}

// RoutedPods is how many new pods bear the weight of a step: that share of the replicas, or as many as it says. In place of
// proven ones they are as many as without a route.
func (c CanaryStep) RoutedPods(replicas int, capacity Capacity) int {
	if capacity == Replace {
		return c.Pods(replicas, Replace)
	}
	if c.Instances > 0 || c.WeightPercent == 0 {
		return max(c.Instances, 1)
	}
	return max(1, (replicas*c.WeightPercent+99)/100)
}

// routeDue is when Step may decide otherwise about traffic by time alone.
func (s State) routeDue(now time.Time) time.Time {
	switch {
	case !s.Split.on() || s.Split.Over:
		return time.Time{}
	case s.Form == Draining, s.Form == Settled, s.Form == Closing && s.Split.Weight == 0:
		return s.drainedAt()
	case s.Split.Waits.IsZero():
		return time.Time{}
	case !s.Split.Warm.IsZero() && now.Sub(s.Split.Warm) < s.Split.By.WarmUp:
		return s.Split.riseAt(now)
	case s.Phase != Holding:
		return s.tellAt()
	}
	return time.Time{}
}

// sharesText is what people read of the traffic of a step beside its pods.
func (c CanaryStep) sharesText() string {
	return strings.TrimSpace(fmt.Sprintf("%d%% on %s", c.WeightPercent, CanaryStep{Instances: c.Instances}))
}
