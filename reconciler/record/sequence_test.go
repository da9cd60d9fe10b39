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
