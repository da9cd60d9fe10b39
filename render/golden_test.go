package render

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite want.yaml and want.err under testdata")

// testCase is testdata/<case>/request.yaml. What it leaves out is filled in by request.
type testCase struct {
	Dir         string            `json:"dir"`
	Source      Source            `json:"source"`
	Namespace   *string           `json:"namespace"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	KubeVersion string            `json:"kubeVersion"`
	APIVersions []string          `json:"apiVersions"`
}

func (c testCase) request() Request {
	req := Request{
		Dir: c.Dir, Application: "shop", Environment: "staging", Source: c.Source, Namespace: "shop-staging",
		Labels: c.Labels, Annotations: c.Annotations,
		Capabilities: Capabilities{KubeVersion: c.KubeVersion, APIVersions: c.APIVersions},
	}
	if c.Namespace != nil {
		req.Namespace = *c.Namespace
	}
	return req
}

// TestGolden renders every case of testdata twice, and compares the two and what is written down. A case has want.yaml
// or want.err.
func TestGolden(t *testing.T) {
	cases, err := filepath.Glob("testdata/*/request.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range cases {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var c testCase
			if err := yaml.UnmarshalStrict(raw, &c); err != nil {
				t.Fatal(err)
			}
			got, fault := rendered(t, filepath.Join(dir, "input"), c.request())
			again, faultAgain := rendered(t, filepath.Join(dir, "input"), c.request())
			if diff := cmp.Diff(got+fault, again+faultAgain); diff != "" {
				t.Errorf("two renders differ (-first +second):\n%s", diff)
			}
			compareGolden(t, filepath.Join(dir, "want.yaml"), got)
			compareGolden(t, filepath.Join(dir, "want.err"), fault)
		})
	}
}

// rendered gives the result as text, or the fault.
func rendered(t *testing.T, dir string, req Request) (result, fault string) {
	t.Helper()
	tree, err := DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Render(context.Background(), tree, req)
	if err != nil {
		var known *Error
		if !errors.As(err, &known) {
			t.Errorf("fault is no *Error: %v", err)
		}
		trace, ok := TraceOf(err)
		if !ok || !trace.Holds(tree, req) && req.Source.Validate() == nil {
			t.Errorf("fault has no trace that holds: %v", err)
		}
		return "", err.Error() + "\n"
	}
	if !r.Trace.Holds(tree, req) {
		t.Error("trace does not hold for the very same tree")
	}
	return text(t, r), ""
}

func text(t *testing.T, r *Result) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# digest: %s\n# inputs: %s\n", r.Digest, r.Inputs)
	for _, g := range r.Generated {
		fmt.Fprintf(&b, "# generated: %s\n", g)
	}
	r = r.Masked()
	for _, o := range r.Objects {
		fmt.Fprintf(&b, "---\n# from: %s\n%s", r.Sources[IDOf(o)], yamlOf(t, o.Object))
	}
	for _, h := range r.Hooks {
		fmt.Fprintf(&b, "---\n# hook: %s, weight %d %v\n%s", strings.Join(h.Events, ", "), h.Weight, h.DeletePolicies,
			yamlOf(t, h.Object.Object))
	}
	return b.String()
}

func yamlOf(t *testing.T, value any) string {
	t.Helper()
	raw, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// compareGolden holds text against a file; an empty text wants no such file.
func compareGolden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		err := os.Remove(file)
		if got != "" {
			err = os.WriteFile(file, []byte(got), 0o644)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
