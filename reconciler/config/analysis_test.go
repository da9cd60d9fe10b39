package config_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// TestLesson32_AnAnalysisNamesNoAddress: whatever an application writes, what is asked is below an address of agent.yaml.
func TestLesson32_AnAnalysisNamesNoAddress(t *testing.T) {
	for _, keys := range []string{
		`path: "http://169.254.169.254/"`, `path: "//169.254.169.254/"`, `path: "https:169.254.169.254"`, `path: "/../x"`,
		`path: "/%2e%2e/x"`, `path: '/\..\x'`, `path: "/x#y"`, `path: "user@host/x"`, `path: "@host"`, `path: ":8080/x"`,
		`path: "/x y"`, `path: "/x\nHost: y"`, `path: /x, url: "http://169.254.169.254"`, `path: /x, address: "169.254.169.254"`,
		`path: /x, credentials: {secret: other}`, `query: x, max: 1, prometheus: {url: "http://169.254.169.254"}`,
	} {
		file := head + "environments:\n  - {name: a, namespace: a, source: {kustomize: {path: x}}, rollout: {canary: {}, " +
			"analysis: [{name: x, provider: x, " + keys + "}]}}\n"
		if _, faults := config.ParseApplication("sluice.yaml", []byte(file)); faults.For("a").Err() == nil {
			t.Errorf("{%s} is taken", keys)
		}
	}
	agent := &config.Agent{Providers: []config.Provider{{Name: "x", Applications: []string{"shop", "shop-*"}}}}
	for app, want := range map[string]bool{"shop": true, "shop-eu": true, "orders": false} {
		if _, got := agent.Provider("x", app); got != want {
			t.Errorf("%s may ask: %v", app, got)
		}
	}
}

func TestExpand(t *testing.T) {
	a := config.Analysis{Query: `errors{app="{{.App}}", env="{{ .Env }}", pod=~"{{.Canary}}"} / x{pod=~"{{.Stable}}"}`}
	names := config.Names{App: "shop", Env: "production", Canary: config.PodMatcher([]string{"web-1-a", "web-1-b"}), Stable: "web-0-c"}
	got, err := a.Expand(names)
	if want := `errors{app="shop", env="production", pod=~"web-1-a|web-1-b"} / x{pod=~"web-0-c"}`; err != nil || got != want {
		t.Errorf("it is %q (%v), want %q", got, err, want)
	}
	if !a.Uses("Stable") || a.Uses("Password") {
		t.Error("it uses Stable, and no Password")
	}
	if _, err := (config.Analysis{Query: "{{range 1000000000}}x{{end}}"}).Expand(names); err == nil {
		t.Error("a loop is expanded")
	}
}

// TestPodMatcher: it matches the pods and no others, also where a name has a dot.
func TestPodMatcher(t *testing.T) {
	matcher := config.PodMatcher([]string{"web.v1-a", "web-b"})
	if strings.ContainsAny(matcher, `\"`) {
		t.Errorf("%s cannot stand between quotes", matcher)
	}
	re := regexp.MustCompile("^(?:" + matcher + ")$")
	for name, want := range map[string]bool{"web.v1-a": true, "web-b": true, "webxv1-a": false, "web-bb": false, "": false} {
		if re.MatchString(name) != want {
			t.Errorf("%q is matched: %v", name, !want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{"0.01": 0.01, "1%": 0.01, "250ms": 0.25, "2s": 2, "-3": -3, "1e3": 1000, "0": 0} {
		var n config.Number
		if err := n.UnmarshalText([]byte(text)); err != nil || float64(n) != want {
			t.Errorf("%s is %v (%v), want %v", text, float64(n), err, want)
		}
	}
	for _, text := range []string{"", "a lot", ".5", "1.", "NaN", "Inf", "0x10", "1e9999", "1 %", "1min", "1_000"} {
		var n config.Number
		if err := n.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %v", text, float64(n))
		}
	}
}
