package config_test

import (
	"testing"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// TestWindowsOf: what agent.yaml says binds whom it names.
func TestWindowsOf(t *testing.T) {
	agent, err := config.ParseAgent("agent.yaml", readFile(t, "testdata/agent/good/windows.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		reason, application, environment string
		want                             int
	}{
		"Everybody":        {"one without names binds all", "web", "staging", 1},
		"Named":            {"both globs match", "shop-eu", "production", 2},
		"OtherApplication": {"only one of them does", "web", "production", 1},
		"OtherEnvironment": {"nor does that", "shop-eu", "staging", 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			windows := agent.WindowsOf(c.application, c.environment)
			if len(windows) != c.want {
				t.Errorf("%s: %d windows, want %d", c.reason, len(windows), c.want)
			}
			for _, w := range windows {
				if _, _, err := w.Times(); err != nil {
					t.Errorf("%s: %v", c.reason, err)
				}
			}
		})
	}
}
