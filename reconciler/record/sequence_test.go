package record

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/policies"
)

// TestSequence: what a lost state is told of the releases that were proven, in the order in which they were.
func TestSequence(t *testing.T) {
	signer := newKey(t)
	line := func(phase policies.Phase, revision string) Line {
		return Line{Phase: phase, Revision: revision, Inputs: revision[:1]}
	}
	cases := map[string]struct {
		reason string
		story  []Line
		want   []string
	}{
		"NewestFirst": {"the newest proof comes first", []Line{line(policies.Healthy, revA), line(policies.Healthy, revB)}, []string{"b", "4"}},
		"RollBack": {"one stays where it stands, and what it left is kept with the reason",
			[]Line{line(policies.Healthy, revA), line(policies.Healthy, revB), line(policies.Healthy, revC), line(policies.RolledBack, revC), line(policies.Healthy, revA)},
			[]string{"c RolledBack", "b", "4"}},
		"ProvenAnew": {"through the stages a release comes in front",
			[]Line{line(policies.Healthy, revA), line(policies.Failed, revA), line(policies.Healthy, revB), line(policies.Healthy, revA)}, []string{"4", "b"}},
		"NeverProven": {"a failure proves nothing", []Line{line(policies.Progressing, revA), line(policies.Failed, revA)}, nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, proof := range Sequence(story(t, signer, "shop", tc.story...), Subject{"shop", "production"}) {
				text := proof.Healthy.Inputs
				if proof.Left.Phase != "" {
					text += " " + string(proof.Left.Phase)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// TestQuarantined: what a lost state is told of the releases that failed, so that none of them is tried again by itself.
func TestQuarantined(t *testing.T) {
	signer := newKey(t)
	line := func(phase policies.Phase, revision, trigger string) Line {
		return Line{Phase: phase, Revision: revision, Inputs: revision[:1], Trigger: trigger}
	}
	cases := map[string]struct {
		reason string
		story  []Line
		want   []string
	}{
		"NewestFirst": {"each that failed and was taken back", []Line{
			line(policies.Failed, revA, revA), line(policies.RolledBack, revA, revA), line(policies.Failed, revB, revB), line(policies.RolledBack, revB, revB),
		}, []string{revB, revA}},
		"LeftByAPerson": {"what a person left did not fail", []Line{line(policies.Healthy, revA, revA), line(policies.RolledBack, revA, revA)}, nil},
		"NotTakenBack":  {"it is tried still", []Line{line(policies.Failed, revA, revA)}, nil},
		"TriedAgain": {"it was well at last", []Line{
			line(policies.Failed, revA, revA), line(policies.RolledBack, revA, revA), line(policies.Healthy, revA, revA),
		}, nil},
		"ByAnotherTrigger": {"what failed by the first stays barred by the first", []Line{
			line(policies.Failed, revA, revA), line(policies.RolledBack, revA, revA), line(policies.Healthy, revA, revC),
		}, []string{revA}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, line := range Quarantined(story(t, signer, "shop", tc.story...), Subject{"shop", "production"}) {
				got = append(got, line.Trigger)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
