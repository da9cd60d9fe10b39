package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluice-cd/sluice/"

// TestLayout keeps the direction of imports: cmd -> reconciler -> {gitsource, render, policies}. A path stands for the
// package and those below it.
func TestLayout(t *testing.T) {
	deps := dependencies(t)
	for name, tc := range map[string]struct {
		reason string
		of     string   // these packages
		may    []string // need nothing else of the module, themselves apart
	}{
		"Gitsource": {"a leaf knows no other", "gitsource", nil},
		"Render":    {"a leaf knows no other", "render", nil},
		"Policies":  {"a leaf knows no other", "policies", nil},
		"Config":    {"it reads files, and what a source looks like is the renderer's", "reconciler/config", []string{"render"}},
		"Apply":     {"it knows objects, and not why they are applied", "reconciler/apply", []string{"reconciler/sops"}},
		"Rollout":   {"it sees objects, and not why they are there", "reconciler/rollout", nil},
		"Record":    {"it knows lines and the words of a release, and neither a cluster nor a Git library", "reconciler/record", []string{"policies"}},
		"Reconciler": {"it is the middle: commands use it", "reconciler", []string{
			"gitsource", "render", "policies"}},
		"Dashboard": {"it knows nothing but copied data", "cmd/sluice/dashboard", []string{"reconciler/view"}},
		"Command": {"test beds stay out of the program", "cmd/sluice", []string{
			"reconciler", "gitsource", "render", "policies"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := false
			for path, needs := range deps {
				if !within(path, tc.of) {
					continue
				}
				found = true
				for _, need := range needs {
					allowed := within(need, tc.of) || slices.ContainsFunc(tc.may, func(p string) bool { return within(need, p) })
					ofTests := slices.ContainsFunc([]string{"gitsource/gittest", "cmd/sluice/dashboard/dashboardtest"}, func(bed string) bool {
						return within(need, bed) && !within(path, bed)
					})
					if !allowed || ofTests {
						t.Errorf("%s needs %s: %s", path, need, tc.reason)
					}
				}
			}
			if !found {
				t.Errorf("there is no package %s", tc.of)
			}
		})
	}
}

// TestPoliciesArePure: what decides has no clock, network or file at hand, and no client.
func TestPoliciesArePure(t *testing.T) {
	for _, path := range strings.Fields(list(t, "-f", `{{join .Imports "\n"}}`, module+"policies/...")) {
		if slices.Contains([]string{"os", "net", "net/http", "os/exec", "math/rand", "math/rand/v2", "context"}, path) ||
			strings.Contains(path, ".") && !strings.HasPrefix(path, "k8s.io/apimachinery/") && !strings.HasPrefix(path, module) {
			t.Errorf("policies import %s", path)
		}
	}
}

// within reports whether a package is the one at path, or below it.
func within(path, parent string) bool { return path == parent || strings.HasPrefix(path, parent+"/") }

// dependencies are the packages of the module and what each needs of the module, however indirectly.
func dependencies(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for line := range strings.Lines(list(t, "-f", `{{.ImportPath}} {{join .Deps " "}}`, module+"...")) {
		words := strings.Fields(line)
		var needs []string
		for _, need := range words[1:] {
			if in, ok := strings.CutPrefix(need, module); ok {
				needs = append(needs, in)
			}
		}
		out[strings.TrimPrefix(words[0], module)] = needs
	}
	return out
}

func list(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-deps=false"}, args...)...)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return string(out)
}
