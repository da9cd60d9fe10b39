package render

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render/manifest"
)

const (
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
	chartYAML = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
)

// folder writes files into a new folder; "" as content makes an empty folder, "-> x" a symbolic link.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, dir, name, content)
	}
	return dir
}

func put(t testing.TB, dir, name, content string) {
	t.Helper()
	at := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	var err error
	if len(content) > 3 && content[:3] == "-> " {
		err = os.Symlink(content[3:], at)
	} else {
		err = os.WriteFile(at, []byte(content), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string) Tree {
	t.Helper()
	tree, err := DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func mustRender(t *testing.T, tree Tree, req Request) *Result {
	t.Helper()
	r, err := Render(context.Background(), tree, req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var (
	chartSource     = Source{Helm: &Helm{Chart: "chart", Values: []string{"values.yaml"}}}
	overlaySource   = Source{Kustomize: &Kustomize{Path: "overlay"}}
	directorySource = Source{Directory: &Directory{Path: "plain"}}
)

// everything is a tree with one source of each kind.
func everything() map[string]string {
	return map[string]string{
		"README.md":                    "read me",
		"values.yaml":                  "a: b\n",
		"chart/Chart.yaml":             chartYAML,
		"chart/templates/a.yaml":       "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {m: '{{ .Capabilities.APIVersions.Has \"example.org/v1\" }}', v: '{{ .Values.a }}'}\n",
		"base/kustomization.yaml":      "resources: [a.yaml]\n",
		"base/a.yaml":                  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		"base/unused.yaml":             "not: used\n",
		"overlay/kustomization.yaml":   "resources: [../base]\n",
		"plain/a.yaml":                 "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
		"plain/notes.txt":              "not a manifest",
		"elsewhere/kustomization.yaml": "resources: []\n",
	}
}

func TestTraceHolds(t *testing.T) {
	type edit struct{ name, content string }
	tests := map[string]struct {
		reason string
		source Source
		edit   edit
		alter  func(*Request)
		want   bool
	}{
		"NothingChanged":        {"the very same tree", chartSource, edit{}, nil, true},
		"UnrelatedFile":         {"a chart does not read the README beside it", chartSource, edit{"README.md", "other"}, nil, true},
		"OtherSource":           {"an overlay does not read the chart", overlaySource, edit{"chart/Chart.yaml", "x"}, nil, true},
		"UnusedInBase":          {"a base lists what it uses", overlaySource, edit{"base/unused.yaml", "x: y"}, nil, true},
		"UnreadInListedFolder":  {"a listed folder counts by its names", directorySource, edit{"plain/notes.txt", "x"}, nil, true},
		"Template":              {"a template was read", chartSource, edit{"chart/templates/a.yaml", "x"}, nil, false},
		"Values":                {"a values file was read", chartSource, edit{"values.yaml", "a: c"}, nil, false},
		"Base":                  {"a base above the overlay was read", overlaySource, edit{"base/a.yaml", "x"}, nil, false},
		"NewTemplate":           {"the folder was listed", chartSource, edit{"chart/templates/b.yaml", "x"}, nil, false},
		"NewHelmignore":         {"it was looked for in vain", chartSource, edit{"chart/.helmignore", "*"}, nil, false},
		"NewKustomizationTwin":  {"the other spelling was looked for in vain", overlaySource, edit{"base/kustomization.yml", "x"}, nil, false},
		"NewManifest":           {"the folder was listed", directorySource, edit{"plain/b.yaml", "x"}, nil, false},
		"Namespace":             {"it shapes objects", directorySource, edit{}, func(r *Request) { r.Namespace = "other" }, false},
		"Labels":                {"they shape objects", directorySource, edit{}, func(r *Request) { r.Labels = map[string]string{"a": "b"} }, false},
		"Release":               {"charts see its name", chartSource, edit{}, func(r *Request) { r.Application = "other" }, false},
		"ApplicationOfADir":     {"nothing but charts sees the name", directorySource, edit{}, func(r *Request) { r.Application = "other" }, true},
		"Environment":           {"its name shapes nothing", chartSource, edit{}, func(r *Request) { r.Environment = "other" }, true},
		"AskedAPIAppears":       {"the chart asked for it", chartSource, edit{}, func(r *Request) { r.Capabilities.APIVersions = []string{"example.org/v1"} }, false},
		"OtherAPIAppears":       {"the chart did not ask", chartSource, edit{}, func(r *Request) { r.Capabilities.APIVersions = []string{"v1", "other.org/v1"} }, true},
		"KubernetesUpgrade":     {"the chart did not ask", chartSource, edit{}, func(r *Request) { r.Capabilities.KubeVersion = "v1.40.0" }, true},
		"KustomizeAsksNoAPI":    {"kustomize never asks", overlaySource, edit{}, func(r *Request) { r.Capabilities.APIVersions = []string{"x/v1"} }, true},
		"ReadFileBecomesFolder": {"it is another thing then", directorySource, edit{"plain/sub.yaml/x", "x"}, nil, false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, everything())
			tree := open(t, dir)
			req := Request{Application: "shop", Environment: "staging", Namespace: "shop", Source: tc.source}
			trace := mustRender(t, tree, req).Trace
			if tc.edit.name != "" {
				put(t, dir, tc.edit.name, tc.edit.content)
			}
			if tc.alter != nil {
				tc.alter(&req)
			}
			if got := trace.Holds(tree, req); got != tc.want {
				t.Errorf("Holds = %v, want %v: %s", got, tc.want, tc.reason)
			}
			raw, err := json.Marshal(trace)
			if err != nil {
				t.Fatal(err)
			}
			var read Trace
			if err := json.Unmarshal(raw, &read); err != nil {
				t.Fatal(err)
			}
			if got := read.Holds(tree, req); got != tc.want {
				t.Errorf("after JSON: Holds = %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTraceOfAnotherVersionNeverHolds(t *testing.T) {
	tree := open(t, folder(t, everything()))
	req := Request{Application: "shop", Source: directorySource}
	raw, err := json.Marshal(mustRender(t, tree, req).Trace)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	fields["v"] = traceVersion + 1
	if raw, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	var read Trace
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	if read.Holds(tree, req) {
		t.Error("a trace of an unknown version holds")
	}
}

func TestFailedRenderHasATrace(t *testing.T) {
	dir := folder(t, map[string]string{"plain/a.yaml": "not an object"})
	tree := open(t, dir)
	req := Request{Application: "shop", Source: directorySource}
	_, err := Render(context.Background(), tree, req)
	trace, ok := TraceOf(err)
	if !ok || !trace.Holds(tree, req) {
		t.Fatalf("no trace that holds in %v", err)
	}
	put(t, dir, "plain/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
	if trace.Holds(tree, req) {
		t.Error("the trace holds although the broken file was repaired")
	}
}

// A chart may refuse a cluster; once the cluster has what it asks for, the failure is not to be repeated from memory.
func TestFailedRenderNotesWhatItAsked(t *testing.T) {
	tree := open(t, folder(t, map[string]string{
		"chart/Chart.yaml":       chartYAML,
		"chart/templates/a.yaml": "{{ if not (.Capabilities.APIVersions.Has \"example.org/v1\") }}{{ fail \"install the operator first\" }}{{ end }}\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n",
	}))
	req := Request{Application: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}, Capabilities: Capabilities{APIVersions: []string{"v1"}}}
	_, err := Render(context.Background(), tree, req)
	trace, ok := TraceOf(err)
	if !ok || !trace.Holds(tree, req) {
		t.Fatalf("no trace that holds in %v", err)
	}
	req.Capabilities.APIVersions = []string{"v1", "example.org/v1"}
	if trace.Holds(tree, req) {
		t.Error("the trace holds although the API is there now")
	}
	mustRender(t, tree, req)
}

func TestBrokenKubernetesVersion(t *testing.T) {
	tree := open(t, folder(t, everything()))
	_, err := Render(context.Background(), tree, Request{Application: "shop", Source: directorySource, Capabilities: Capabilities{KubeVersion: "new"}})
	if err == nil {
		t.Fatal("rendered")
	}
	if _, ok := TraceOf(err); ok {
		t.Error("the fault is none of the files', but has a trace")
	}
}

func TestInputs(t *testing.T) {
	req := Request{Application: "shop", Environment: "staging", Namespace: "shop", Source: chartSource}
	first := mustRender(t, open(t, folder(t, everything())), req)
	moved := map[string]string{}
	for name, content := range everything() {
		moved["deep/er/"+name] = content
	}
	tests := map[string]struct {
		reason string
		files  map[string]string
		alter  func(*Request)
		same   bool
	}{
		"Again":        {"stable", everything(), nil, true},
		"MovedFolder":  {"moving an application changes no value", moved, func(r *Request) { r.Dir = "deep/er" }, true},
		"Capabilities": {"an upgrade of the cluster makes no release", everything(), func(r *Request) { r.Capabilities.KubeVersion = "v1.31.0" }, true},
		"UnreadFile":   {"a listing does not count", with(everything(), "elsewhere/x", "y"), nil, true},
		"Values":       {"they were read", with(everything(), "values.yaml", "a: c"), nil, false},
		"NewTemplate":  {"it is read now", with(everything(), "chart/templates/b.yaml", ""), nil, false},
		"Annotations":  {"they shape objects", everything(), func(r *Request) { r.Annotations = map[string]string{"a": "b"} }, false},
		"Inline": {"values shape objects", everything(), func(r *Request) {
			r.Source.Helm = &Helm{Chart: "chart", Values: []string{"values.yaml"}, Set: map[string]any{"a": 1}}
		}, false},
		"ReleaseDefault": {"the same name, said or not", everything(), func(r *Request) { r.Application = "shop" }, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			altered := req
			if tc.alter != nil {
				tc.alter(&altered)
			}
			got := mustRender(t, open(t, folder(t, tc.files)), altered)
			if same := got.Inputs == first.Inputs; same != tc.same {
				t.Errorf("inputs same = %v, want %v: %s", same, tc.same, tc.reason)
			}
			if tc.same && got.Digest != first.Digest {
				t.Errorf("equal inputs gave another digest: %s", tc.reason)
			}
		})
	}
}

func with(files map[string]string, name, content string) map[string]string {
	files[name] = content
	return files
}

func TestRelative(t *testing.T) {
	tests := map[string]struct{ dir, name, want string }{
		"Root":    {".", "a/b", "a/b"},
		"Below":   {"apps/shop", "apps/shop/a.yaml", "a.yaml"},
		"Sibling": {"apps/shop", "apps/base/a.yaml", "../base/a.yaml"},
		"Far":     {"apps/shop", "base/a.yaml", "../../base/a.yaml"},
		"Prefix":  {"apps/sh", "apps/shop/a.yaml", "../shop/a.yaml"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, relative(tc.dir, tc.name)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLesson09_ARepairedFileVoidsTheFailure: what is there and is no file that can be read is another one once it was repaired.
func TestLesson09_ARepairedFileVoidsTheFailure(t *testing.T) {
	const config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	for name, breaks := range map[string]func(t *testing.T, file string){
		"TooLarge": func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte(config+"data: {a: "+strings.Repeat("x", manifest.MaxFile)+"}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"ALinkThatLeavesTheTree": func(t *testing.T, file string) {
			if err := os.Symlink("../../outside.yaml", file); err != nil {
				t.Fatal(err)
			}
		},
		"AFolder": func(t *testing.T, file string) {
			if err := os.Mkdir(file, 0o700); err != nil {
				t.Fatal(err)
			}
		},
	} {
		for kind, tc := range map[string]struct {
			file   string
			source Source
			more   map[string]string
		}{
			"Kustomize": {"overlay/x.yaml", Source{Kustomize: &Kustomize{Path: "overlay"}}, map[string]string{"overlay/kustomization.yaml": "resources: [x.yaml]\n"}},
			"Values":    {"x.yaml", Source{Helm: &Helm{Chart: "chart", Values: []string{"x.yaml"}}}, map[string]string{"chart/Chart.yaml": chartYAML, "chart/templates/a.yaml": config}},
		} {
			t.Run(kind+name, func(t *testing.T) {
				dir := folder(t, tc.more)
				file := filepath.Join(dir, tc.file)
				breaks(t, file)
				tree, req := open(t, dir), Request{Application: "shop", Source: tc.source}
				_, err := Render(context.Background(), tree, req)
				trace, known := TraceOf(err)
				if !known || !trace.Holds(tree, req) {
					t.Fatalf("no trace that holds in %v", err)
				}
				if err := os.RemoveAll(file); err != nil {
					t.Fatal(err)
				}
				put(t, dir, tc.file, config)
				if trace.Holds(tree, req) {
					t.Error("the trace holds although the file was repaired")
				}
			})
		}
	}
}

// TestCapabilitiesThatArePrintedAreAsked: a template that prints all that it has gets what Helm would print, and depends on it.
func TestCapabilitiesThatArePrintedAreAsked(t *testing.T) {
	tree := open(t, folder(t, map[string]string{
		"chart/Chart.yaml":       chartYAML,
		"chart/templates/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {all: {{ toJson . | quote }}}\n",
	}))
	req := Request{Application: "shop", Source: Source{Helm: &Helm{Chart: "chart"}}, Capabilities: Capabilities{APIVersions: []string{"v1", "some.org/v1"}}}
	made := mustRender(t, tree, req)
	if text, _, _ := unstructured.NestedString(made.Objects[0].Object, "data", "all"); !strings.Contains(text, `"APIVersions":["v1","some.org/v1"]`) {
		t.Errorf("it prints %s", text)
	}
	req.Capabilities.APIVersions = []string{"v1"}
	if made.Trace.Holds(tree, req) {
		t.Error("the trace holds for another list of API versions")
	}
}
