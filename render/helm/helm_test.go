package helm

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

// cases are the charts of package render's golden tests, which also say what comes out.
const cases = "../testdata"

// TestSameAsHelm holds the objects against what Helm's own loader, engine and sorter give from disk, step by step as
// `helm template --include-crds` does it.
func TestSameAsHelm(t *testing.T) {
	tests := map[string]Input{
		"helm": {
			Chart: "chart", Values: []string{"apps/shop/values.yaml", "apps/shop/values-production.yaml"},
			Inline:  map[string]any{"image": map[string]any{"tag": "9"}, "db": map[string]any{"size": 2}},
			Release: "front", Namespace: "shop", KubeVersion: "v1.30.1", APIVersions: []string{"v1", "monitoring.coreos.com/v1"},
		},
		"helm-capabilities-whole":   {Chart: "chart", Release: "r", Namespace: "n"},
		"helm-capabilities-default": {Chart: "chart", Release: "r", Namespace: "n"},
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			dir := cases + "/" + name + "/input"
			in.Tree = os.DirFS(dir)
			got, err := Render(context.Background(), in)
			if err != nil {
				t.Fatal(err)
			}
			var ours []string
			for _, o := range got.Objects {
				ours = append(ours, canonical(t, o.Object))
			}
			slices.Sort(ours)
			if diff := cmp.Diff(theirs(t, dir, in), ours); diff != "" {
				t.Errorf("(-helm +ours):\n%s", diff)
			}
		})
	}
}

func theirs(t *testing.T, dir string, in Input) []string {
	t.Helper()
	c, err := loader.LoadDir(dir + "/" + in.Chart)
	if err != nil {
		t.Fatal(err)
	}
	values, err := mergeValues(in.Tree, in.Base, in.Values, in.Inline)
	if err != nil {
		t.Fatal(err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		t.Fatal(err)
	}
	caps, err := target(in.KubeVersion, in.APIVersions)
	if err != nil {
		t.Fatal(err)
	}
	options := chartutil.ReleaseOptions{Name: in.Release, Namespace: in.Namespace, Revision: 1, IsInstall: true}
	top, err := chartutil.ToRenderValues(c, values, options, caps)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := engine.Render(c, top)
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(texts, func(name, _ string) bool { return name == c.Name()+"/templates/NOTES.txt" })
	_, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, crd := range c.CRDObjects() {
		all = append(all, canonical(t, fromYAML(t, string(crd.File.Data))))
	}
	for _, m := range manifests {
		all = append(all, canonical(t, fromYAML(t, m.Content)))
	}
	slices.Sort(all)
	return all
}

func fromYAML(t *testing.T, text string) (value map[string]any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func canonical(t *testing.T, value any) string {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestVariant(t *testing.T) {
	const sorted = `{{define "sluice.values"}}[{{$n := 0}}{{range $v := .}}{{if $n}},{{end}}{{$n = 1}}{{toJson $v}}{{end}}]{{end}}`
	tests := map[string]struct{ reason, text, one, other string }{
		"Nothing":  {"text stays byte for byte", "{{- .a }} # now", "{{- .a }} # now", "{{- .a }} # now"},
		"Clock":    {"the first answer is the clock itself", `{{ now }}`, `{{ now }}`, `{{now | dateModify "-9613h7m11s"}}`},
		"Argument": {"a call without arguments inside another", `{{ date "2006" now }}`, `{{ date "2006" now }}`, `{{date "2006" (now | dateModify "-9613h7m11s")}}`},
		"Pipe":     {"in the middle, in one order in both", `{{ .m | keys | first }}`, `{{.m | keys | sortAlpha | first}}`, `{{.m | keys | sortAlpha | first}}`},
		"Range": {"in a control structure", `{{ range $k := keys .m }}{{ $k }}{{ else }}{{ now }}{{ end }}`,
			`{{range $k := keys .m | sortAlpha}}{{$k}}{{else}}{{ now }}{{end}}`,
			`{{range $k := keys .m | sortAlpha}}{{$k}}{{else}}{{now | dateModify "-9613h7m11s"}}{{end}}`},
		"Values": {"in the order of the keys", `{{ .m | values | len }}{{ values .m }}`,
			sorted + `{{.m | include "sluice.values" | fromJsonArray | len}}{{include "sluice.values" .m | fromJsonArray}}`,
			sorted + `{{.m | include "sluice.values" | fromJsonArray | len}}{{include "sluice.values" .m | fromJsonArray}}`},
		"Chance":   {"a mark shows where it is", `{{ randAlphaNum 5 | quote }}`, `{{ randAlphaNum 5 | quote }}`, "{{randAlphaNum 5 | printf \"\u2039%s\u203a\" | quote}}"},
		"Number":   {"another one whatever comes", `{{ randInt 1 9 }}`, `{{ randInt 1 9 }}`, `{{randInt 1 9 | mul -1 | add -1}}`},
		"Define":   {"in a define", `{{ define "x" }}{{ ago .m }}{{ end }}`, `{{ define "x" }}{{ ago .m }}{{ end }}`, `{{define "x"}}{{ago .m | printf "%s."}}{{end}}`},
		"Field":    {"a value that is called so", `{{ .Values.keys }}{{ $now := 1 }}{{ $now }}`, `{{ .Values.keys }}{{ $now := 1 }}{{ $now }}`, `{{ .Values.keys }}{{ $now := 1 }}{{ $now }}`},
		"Unparsed": {"its fault is found elsewhere", `{{ if now }}`, `{{ if now }}`, `{{ if now }}`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := []string{variant("t", tc.text, turn{settle: true}), variant("t", tc.text, turn{settle: true, move: true, mark: true})}
			for i := range got { // actions that are not changed are printed too where others are
				got[i] = strings.ReplaceAll(got[i], "{{now}}", "{{ now }}")
			}
			if diff := cmp.Diff([]string{tc.one, tc.other}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	for question, want := range map[string]string{
		"kubeVersion":                "v1.30.1",
		"kubeVersion in >=1.25.0-0":  "true",
		"kubeVersion in >=1.31":      "false",
		"apiVersions":                "v1 apps/v1",
		"apiVersions has apps/v1":    "true",
		"apiVersions has batch/v1":   "false",
		"apiVersions has v1/Service": "false",
	} {
		got, ok := Answer(question, "v1.30.1", []string{"v1", "apps/v1"})
		if !ok || got != want {
			t.Errorf("Answer(%q) = %q, %v, want %q", question, got, ok, want)
		}
	}
	if _, ok := Answer("kubeVersion", "not a version", nil); ok {
		t.Error("a broken version has an answer")
	}
}

func TestAsked(t *testing.T) {
	tests := map[string]struct {
		reason, template string
		want             map[string]string
	}{
		"Nothing":  {"no question, no answer", `a`, nil},
		"Has":      {"one question", `{{ .Capabilities.APIVersions.Has "a/v1" }}`, map[string]string{"apiVersions has a/v1": "true"}},
		"Unasked":  {"a branch that is not taken asks nothing", `{{ if false }}{{ .Capabilities.KubeVersion.Version }}{{ end }}`, nil},
		"Version":  {"by any name", `{{ $c := $.Capabilities.KubeVersion.Minor }}{{ $c }}`, map[string]string{"kubeVersion": "v1.30.1"}},
		"Range":    {"the whole list", `{{ range .Capabilities.APIVersions }}{{ end }}`, map[string]string{"kubeVersion": "v1.30.1", "apiVersions": "a/v1 b/v1"}},
		"Handed":   {"handed around", `{{ $c := .Capabilities }}{{ $c.KubeVersion.Major }}`, map[string]string{"kubeVersion": "v1.30.1", "apiVersions": "a/v1 b/v1"}},
		"Get":      {"by name", `{{ (get . "Capabilities").KubeVersion.Major }}`, map[string]string{"kubeVersion": "v1.30.1", "apiVersions": "a/v1 b/v1"}},
		"DeepCopy": {"a copy still notes", `{{ $x := deepCopy . }}{{ $x.Capabilities.APIVersions.Has "b/v1" }}`, map[string]string{"apiVersions has b/v1": "true"}},
		"Text":     {"in a text that tpl runs", `{{ tpl .Values.text . }}`, map[string]string{"kubeVersion": "v1.30.1", "apiVersions": "a/v1 b/v1"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "Chart.yaml", "apiVersion: v2\nname: c\nversion: 1.0.0\n")
			write(t, dir, "values.yaml", "text: '{{ range .Capabilities.APIVersions }}x{{ end }}'\n")
			if err := os.Mkdir(dir+"/templates", 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "templates/a.yaml", "apiVersion: v1\nkind: A\nx: '"+tc.template+"'\n")
			out, err := Render(context.Background(), Input{Tree: os.DirFS(dir), Chart: ".", Release: "r", Namespace: "n",
				KubeVersion: "v1.30.1", APIVersions: []string{"a/v1", "b/v1"}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.Asked); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(dir+"/"+name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
