package policies

import "testing"

// TestReturn: which release a person means who tells an environment to go back.
func TestReturn(t *testing.T) {
	release := func(letter string) Release {
		return Release{Revision: letter + "0000000000", Inputs: letter, Digest: letter}
	}
	a, b, c, d := release("a"), release("b"), release("c"), release("d")
	proven := func(left string) State {
		return State{Release: c, Phase: Healthy, Proven: c, Sequence: []Proof{{Release: c}, {Release: b, Left: left}, {Release: a}}}
	}
	underWay := proven("")
	underWay.Release, underWay.Phase = d, Progressing
	cases := map[string]struct {
		reason string
		state  State
		word   string
		want   Release
		why    string
	}{
		"TheOneBefore": {"all is well and proven, so it is the one before", proven(""), "proven", b, ""},
		"NotOneLeft":   {"what was left by a failure is no place to go to", proven("it failed"), "proven", a, ""},
		"UnderWay":     {"another is under way: it is the one that still runs", underWay, "proven", c, ""},
		"Named":        {"some digits do", proven(""), "a000000", a, ""},
		"NamedLeft":    {"and what was left takes the stages", proven("it failed"), "b000000", Release{}, "b000000 is proven here no more: it failed"},
		"TooFew":       {"fewer could be anybody's", proven(""), "a00000", Release{}, `"a00000" is neither a revision, of 7 digits at least, nor proven`},
		"Unknown":      {"what was never proven here is for Git to ask for", proven(""), "d000000", Release{}, "d000000 is not among the releases that were proven here last"},
		"None":         {"a first release has none before it", State{Release: a, Phase: Healthy, Proven: a, Sequence: []Proof{{Release: a}}}, "proven", Release{}, "no release was proven here before this one"},
		"Nothing":      {"nor has an environment without any", State{}, "proven", Release{}, "no release was proven here before this one"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, why := tc.state.Return(tc.word)
			if got != tc.want || why != tc.why {
				t.Errorf("%s: %+v, %q", tc.reason, got, why)
			}
		})
	}
}
