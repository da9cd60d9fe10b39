package policies

import "testing"

func TestFell(t *testing.T) {
	is := func(name string) Release { return Release{Revision: name, Trigger: name, Inputs: name} }
	other := Release{Revision: "revert", Trigger: "revert", Inputs: "a"} // the same, brought by another commit
	for name, test := range map[string]struct {
		reason string
		state  State
		want   bool
	}{
		"Now":         {"it failed and is what is asked for", State{Release: is("a"), Phase: Failed}, true},
		"TakenBack":   {"and so after the way back", State{Release: is("a"), Phase: RolledBack}, true},
		"Before":      {"something else came since", State{Release: is("b"), Phase: Healthy, Quarantined: []Release{is("a")}}, true},
		"Proven":      {"it was tried again, and proven", State{Release: is("b"), Phase: Healthy, Quarantined: []Release{is("a")}, Sequence: []Proof{{Release: is("a")}}}, false},
		"Left":        {"and left by a failure later", State{Release: is("b"), Phase: Healthy, Quarantined: []Release{is("a")}, Sequence: []Proof{{Release: is("a"), Left: "it failed"}}}, true},
		"Progressing": {"it is being tried again", State{Release: is("a"), Phase: Progressing, Quarantined: []Release{is("a")}}, false},
		"Another":     {"another one failed", State{Release: is("b"), Phase: Failed, Quarantined: []Release{is("c")}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.state.Fell(other); got != test.want {
				t.Errorf("%s: %v, want %v", test.reason, got, test.want)
			}
		})
	}
}
