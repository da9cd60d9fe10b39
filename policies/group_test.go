package policies

import "testing"

// TestTogether: a promotion of several waits for each that has a candidate, and for no other.
func TestTogether(t *testing.T) {
	due := func(name string) Share {
		return Share{name, PromotionDecision{Candidate: &Candidate{}, Due: true, Reason: "it may be"}}
	}
	waits := func(name, why string) Share {
		return Share{name, PromotionDecision{Candidate: &Candidate{}, Reason: why}}
	}
	none := func(name, why string) Share { return Share{name, PromotionDecision{Reason: why}} }
	cases := map[string]struct {
		reason string
		shares []Share
		due    bool
		says   string
	}{
		"Nobody":    {"nothing is never due", nil, false, ""},
		"OneAlone":  {"a group of one is like none", []Share{due("a/p")}, true, "may be promoted together: a/p"},
		"All":       {"each is due", []Share{due("a/p"), due("b/p")}, true, "may be promoted together: a/p, b/p"},
		"OneWaits":  {"and all with it; it is named first", []Share{due("a/p"), waits("b/p", "it is new"), due("c/p")}, false, "b/p: it is new; due but for that: a/p, c/p"},
		"AllWait":   {"each for its own", []Share{waits("a/p", "too young"), waits("b/p", "a check")}, false, "a/p: too young; b/p: a check"},
		"OneIsDone": {"who has no candidate keeps nobody", []Share{due("a/p"), none("b/p", "it has it")}, true, "may be promoted together: a/p"},
		"AllDone":   {"there is nothing to ask for, and why", []Share{none("a/p", "it has it"), none("b/p", "declined")}, false, "a/p: it has it; b/p: declined"},
		"DoneOrNot": {"who has none is no reason to wait", []Share{none("a/p", "it has it"), waits("b/p", "too young")}, false, "b/p: too young"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if due, says := Together(tc.shares); due != tc.due || says != tc.says {
				t.Errorf("%s: due %v, %q, want %v, %q", tc.reason, due, says, tc.due, tc.says)
			}
		})
	}
}
