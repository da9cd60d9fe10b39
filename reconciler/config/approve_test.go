package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/config"
)

func TestApprove(t *testing.T) {
	const a, b = "4f1c0c2e5d5f4c1c9b1f7a5e2f6f0d6a1b2c3d4e", "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
	line := "approved: {revision: " + b + ", stage: 2}\n"
	cases := map[string]struct {
		reason, file, want string
	}{
		"Empty":    {"a file that is not there is as good as an empty one", "", line},
		"Comments": {"and so is one without content", "# who may change this: CODEOWNERS\n", "# who may change this: CODEOWNERS\n" + line},
		"Others": {"other keys, comments and blank lines stay as they are",
			"# ours\nretry:   3 # again\n\nprune: {revision: " + a + "}", "# ours\nretry:   3 # again\n\nprune: {revision: " + a + "}\n" + line},
		"Flow": {"the values of an earlier word change, and nothing else",
			"approved: { stage: 12, revision: \"" + a + "\" } # by Ann\npaused: false\n",
			"approved: { stage: 2, revision: \"" + b + "\" } # by Ann\npaused: false\n"},
		"Block": {"however it is written",
			"approved:\n    # the second\n    revision: '" + a + "'\n    stage: 1   # of three\n",
			"approved:\n    # the second\n    revision: '" + b + "'\n    stage: 2   # of three\n"},
		"FlowRoot":  {"what cannot be edited is said", "{paused: true}\n", ""},
		"NoValue":   {"also where there is half a word", "approved:\n", ""},
		"Faulty":    {"a faulty file is not made worse", "pausd: true\n", ""},
		"Documents": {"nor is one that ends", "paused: true\n...\n", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := config.Approve("releases/production.yaml", []byte(tc.file), config.Approval{Revision: b, Stage: 2})
			if (err != nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), "releases/production.yaml") {
				t.Fatalf("%s: error %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
