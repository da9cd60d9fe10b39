package policies

import (
	"fmt"
	"strings"
	"time"
)

// Moment is when hooks of a chart run, by Helm's word for it.
type Moment string

// The moments. Tests run after the hooks that follow a release, where the rules ask for them.
const (
	PreInstall   Moment = "pre-install"
	PostInstall  Moment = "post-install"
	PreUpgrade   Moment = "pre-upgrade"
	PostUpgrade  Moment = "post-upgrade"
	PreRollback  Moment = "pre-rollback"
	PostRollback Moment = "post-rollback"
	PreDelete    Moment = "pre-delete"
	PostDelete   Moment = "post-delete"
	Test         Moment = "test"
)

// before reports whether hooks of the moment run before anything of the release is sent.
func (m Moment) before() bool { return strings.HasPrefix(string(m), "pre-") }

// Hooks counts the hooks of a release by their moments. One of two moments counts in both.
type Hooks map[Moment]int

// ahead are those of these moments that have hooks.
func (h Hooks) ahead(moments ...Moment) (all []Ahead) {
	for _, m := range moments {
		if h[m] > 0 {
			all = append(all, Ahead{m, h[m]})
		}
	}
	return all
}

// Ahead is a moment that is not over, and how many hooks it has.
type Ahead struct {
	Moment Moment `json:"moment"`
	Count  int    `json:"count"`
}

// Hooking is where the release in the state stands with its hooks, which run one after the other, each once. The zero value:
// it has none, or they are over.
type Hooking struct {
	// Ahead are the moments that are not over, in order. While the first one is before the release, nothing of it was sent.
	Ahead []Ahead `json:"ahead,omitempty"`
	// Since is when they came to be ahead: it tells their runs from those of another release, or of another try.
	Since time.Time `json:"since,omitzero"`
	// Next is the hook of the first moment that is due, from 0, and Began since when it is. Zero: the moment has not come.
	Next  int       `json:"next,omitempty"`
	Began time.Time `json:"began,omitzero"`
	// Why is what is waited for, or how a hook failed.
	Why string `json:"why,omitempty"`
	// Failed: a hook did, and none after it runs.
	Failed bool `json:"failed,omitempty"`
	// Whole: what was live when the release began is proven.
	Whole bool `json:"whole,omitempty"`
	// Leaves: they are the hooks of the deletion of all that an absent environment owns.
	Leaves bool `json:"leaves,omitempty"`
}

// Runs reports whether a hook is due.
func (h Hooking) Runs() bool { return !h.Failed && !h.Began.IsZero() }

// Moment is the one whose hook is due, or comes next; empty: there is none.
func (h Hooking) Moment() Moment {
	if len(h.Ahead) == 0 {
		return ""
	}
	return h.Ahead[0].Moment
}

// next goes on to the hook after the one that is due; false: its moment is over.
func (h Hooking) next(now time.Time) (Hooking, bool) {
	h.Why = ""
	if h.Next++; h.Next < h.Ahead[0].Count {
		h.Began = now
		return h, true
	}
	h.Ahead, h.Next, h.Began = h.Ahead[1:], 0, time.Time{}
	if len(h.Ahead) == 0 && !h.Leaves {
		h = Hooking{}
	}
	return h, false
}

// HookResult is what became of the hook that is due.
type HookResult string

// The results. A Job or a Pod is done when it ended well, anything else when it was applied.
const (
	HookWaits  HookResult = ""
	HookDone   HookResult = "done"
	HookFailed HookResult = "failed" // it ended badly
	// HookRefused: the API server refused it, or what the release sends after it. It was not begun.
	HookRefused HookResult = "refused"
)

// HookSeen is what is seen of the hook that is due in the state.
type HookSeen struct {
	Name   string // as people write it, Kind/namespace/name
	Result HookResult
	Says   string // how it failed, or why it has not ended
	// Limit is how long it may take; 0: not known.
	Limit time.Duration
}

// Moments are those at which a release that begins now would run hooks: what it is to its environment. Where nothing was ever
// proven it is an installation, a second try too; unless something runs already, as where others made it or the state was lost.
func (s State) Moments(p Plan, o Observation) []Moment {
	var moments []Moment
	switch {
	case p.Known && o.Owned > 0: // it was released here, with its hooks
		return nil
	case s.goesBack(p.Release), s.Leaves(p, p.Release) != (Release{}):
		moments = []Moment{PreRollback, PostRollback}
	case s.Proven == (Release{}) && !o.Runs && (s.Phase != "" || o.Owned == 0):
		moments = []Moment{PreInstall, PostInstall}
	default:
		moments = []Moment{PreUpgrade, PostUpgrade}
	}
	if p.Tests {
		moments = append(moments, Test)
	}
	return moments
}

// hooked are the hooks that a release has ahead which begins now. whole: what is live is proven.
func (s State) hooked(p Plan, o Observation, whole bool) Hooking {
	h := Hooking{Ahead: p.Hooks.ahead(s.Moments(p, o)...)}
	if len(h.Ahead) == 0 {
		return h
	}
	h.Since, h.Whole = o.Now, whole && s.Proven != (Release{})
	if h.Moment().before() {
		h.Began = o.Now
	}
	return h
}

// hook waits for the hook that is due.
func hook(s State, p Plan, o Observation, told []Record) (State, []Record) {
	h := s.Hooking
	why := h.late(o)
	switch {
	case h.Failed:
		return s, told
	case h.Began.IsZero():
		s.Hooking.Began = o.Now
		return s, told
	case o.Hook.Result == HookDone:
		more := false
		if s.Hooking, more = h.next(o.Now); !more && len(s.Hooking.Ahead) > 0 && !h.Moment().before() {
			s.Hooking.Began = o.Now
		}
		return s, told
	case why != "":
		return unhooked(s, p, o, why, told)
	}
	s.Hooking.Why = h.waits(o)
	if s.Phase == Progressing && !s.Slow && o.Now.Sub(s.Began) >= SlowAfter {
		s.Slow = true
		told = append(told, Record{Phase: Progressing, Release: s.Release, Reason: "it waits for " + s.Hooking.Why, Began: s.Began})
	}
	return s, told
}

// waits says what is waited for.
func (h Hooking) waits(o Observation) string {
	if o.Hook.Name == "" {
		return fmt.Sprintf("its %s hooks", h.Moment())
	}
	text := fmt.Sprintf("hook %s (%s)", o.Hook.Name, h.Moment())
	return strings.TrimSuffix(text+": "+o.Hook.Says, ": ")
}

// late says why a hook failed, or that it took too long; empty: neither.
func (h Hooking) late(o Observation) string {
	name := fmt.Sprintf("hook %s (%s)", o.Hook.Name, h.Moment())
	switch limit := o.Hook.Limit; {
	case h.Began.IsZero(), o.Hook.Result == HookDone:
		return ""
	case o.Hook.Result == HookRefused:
		return fmt.Sprintf("before its %s hooks: %s", h.Moment(), o.Hook.Says)
	case o.Hook.Result == HookFailed:
		return name + " failed: " + o.Hook.Says
	case limit > 0 && o.Now.Sub(h.Began) >= limit:
		return strings.TrimSuffix(fmt.Sprintf("%s did not end within %s: %s", name, limit, o.Hook.Says), ": ")
	}
	return ""
}

// unhooked ends a release whose hook failed. Of one that has not begun nothing was sent, so what was proven simply stays; one
// that was applied already is taken back where releases are.
func unhooked(s State, p Plan, o Observation, why string, told []Record) (State, []Record) {
	back := s.Proven != (Release{}) && !s.goesBack(s.Release)
	untouched := s.Hooking.Moment().before() && s.Hooking.Whole
	s.Assess, s.Hooking.Failed, s.Hooking.Why = false, true, why
	switch {
	case back && s.Stage > 0:
		return takeBack(s, o, Returning, Failed, why, told)
	case back && (untouched || p.TakesBack):
		return takeBack(s, o, Settled, Failed, why, told)
	}
	return enter(s, Failed, why, o, told)
}

// leaveHook runs the hooks of the deletion of all that an absent environment owns; false: none is due now. What was to run
// before it and failed stops the deletion: what it was to save may be lost else.
func leaveHook(s State, p Plan, o Observation, told []Record) (State, []Record, bool) {
	if !s.Hooking.Leaves {
		s.Hooking = Hooking{Leaves: true, Since: o.Now, Ahead: p.Hooks.ahead(PreDelete, PostDelete)}
	}
	h := s.Hooking
	switch moment := h.Moment(); {
	case moment == "", moment == PostDelete && o.Owned > 0:
		return s, told, false
	case h.Failed:
		return s, told, true
	case h.Began.IsZero():
		s.Hooking.Began = o.Now
	case o.Hook.Result == HookDone:
		more := false
		s.Hooking, more = h.next(o.Now)
		return s, told, more
	case h.late(o) != "" && moment == PreDelete:
		s.Hooking.Failed, s.Hooking.Why = true, "the deletion of all that the environment owns stopped: "+h.late(o)+
			"; take `state: absent` out, mend the hook, and ask for it again"
		told = append(told, Record{Phase: Holding, Release: s.Release, Reason: s.Hooking.Why})
	case h.late(o) != "": // nothing is left that it could keep
		s.Hooking.Ahead, s.Hooking.Began, s.Hooking.Why = nil, time.Time{}, h.late(o)
		return s, told, false
	default:
		s.Hooking.Why = h.waits(o)
	}
	return s, told, true
}
