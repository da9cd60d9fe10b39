package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/config"
)

func TestPin(t *testing.T) {
	const a, b = "4f1c0c2e5d5f4c1c9b1f7a5e2f6f0d6a1b2c3d4e", "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
	cases := map[string]struct {
		reason, file, want string
	}{
		"Empty":    {"a file that is not there is as good as an empty one", "", "revision: " + b + "\n"},
		"Others":   {"other keys, comments and blank lines stay as they are", "# ours\nrevision: \"" + a + "\" # since May\n\nretry: 3\n", "# ours\nrevision: \"" + b + "\" # since May\n\nretry: 3\n"},
		"NoPin":    {"one without a pin gets one", "retry: 3", "retry: 3\nrevision: " + b + "\n"},
		"FlowRoot": {"the value is found however it is written", "{revision: " + a + "}\n", "{revision: " + b + "}\n"},
		"Flow":     {"what cannot be edited is said", "{retry: 3}\n", ""},
		"Faulty":   {"a faulty file is not made worse", "revison: " + a + "\n", ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := config.Pin("releases/production.yaml", []byte(tc.file), b)
			if (err != nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), "releases/production.yaml") {
				t.Fatalf("%s: error %v", tc.reason, err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}
