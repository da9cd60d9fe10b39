package policies

import "testing"

// TestLesson41_WhatWasProvenBeforeTakesTheStages: neither what was left by a roll-back or a failure, nor what is newer than what
// runs, nor a release of last year comes back in one wave, and the note says why.
func TestLesson41_WhatWasProvenBeforeTakesTheStages(t *testing.T) {
	release := func(name string) Release { return Release{Revision: name, Trigger: name, Inputs: name, Digest: name} }
	state := State{Proven: release("now"), Sequence: []Proof{
		{Release: release("newer")}, {Release: release("now")}, {Release: release("left"), Left: "rolled back from left to now"},
		{Release: release("older")}, {Release: release("ancient")},
	}}
	cases := map[string]struct {
		rolls bool
		want  string
	}{
		"older":   {true, ""},
		"never":   {false, ""},
		"left":    {false, "; it was proven here before, and left: rolled back from left to now"},
		"newer":   {false, "; it was proven here after now, so this is no roll-back"},
		"ancient": {false, "; it was proven here before the last 4, which can be rolled back to"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p := Plan{Release: release(name), Reach: 4}
			if rolls := state.Leaves(p, p.Release) != (Release{}); rolls != tc.rolls {
				t.Errorf("it is a roll-back: %v", rolls)
			}
			state.Release = p.Release
			if got := state.again(p); got != tc.want {
				t.Errorf("the note says %q, want %q", got, tc.want)
			}
		})
	}
}
