package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/config"
)

var update = flag.Bool("update", false, "write the golden files anew")

// parsers are the three kinds of files, by the folder of testdata that holds examples of them.
func parsers() map[string]func(name string, data []byte) (any, error) {
	return map[string]func(string, []byte) (any, error){
		"agent": func(name string, data []byte) (any, error) { return config.ParseAgent(name, data) },
		"application": func(name string, data []byte) (any, error) {
			a, fs := config.ParseApplication(name, data)
			return a, fs.Err()
		},
		"release": func(name string, data []byte) (any, error) { return config.ParseRelease(name, data) },
	}
}

// files are the examples of a folder of testdata.
func files(t *testing.T, folder string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil || len(found) == 0 {
		t.Fatalf("find examples in %q: %d, %v", folder, len(found), err)
	}
	return found
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// golden compares with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(readFile(t, name)), got); diff != "" {
		t.Errorf("%s is not what came out (-want +got):\n%s", name, diff)
	}
}

func TestParse(t *testing.T) {
	for kind, parse := range parsers() {
		for _, file := range files(t, kind+"/good") {
			t.Run(kind+"/good/"+filepath.Base(file), func(t *testing.T) {
				parsed, err := parse(filepath.Base(file), readFile(t, file))
				if err != nil {
					t.Fatalf("parse: %v", err)
				}
				written, err := yaml.Marshal(parsed)
				if err != nil {
					t.Fatalf("write: %v", err)
				}
				golden(t, strings.TrimSuffix(file, ".yaml")+".want", string(written))
				again, err := parse(filepath.Base(file), written)
				if err != nil {
					t.Fatalf("parse what was written: %v\n%s", err, written)
				}
				if diff := cmp.Diff(parsed, again); diff != "" {
					t.Errorf("what was written is not what was read:\n%s", diff)
				}
			})
		}
		for _, file := range files(t, kind+"/bad") {
			t.Run(kind+"/bad/"+filepath.Base(file), func(t *testing.T) {
				_, err := parse(filepath.Base(file), readFile(t, file))
				if err == nil {
					t.Fatal("parse: there is no error")
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the error shows a secret: %v", err)
				}
				golden(t, strings.TrimSuffix(file, ".yaml")+".err", err.Error()+"\n")
			})
		}
	}
}

func mustGlob(folder string) []string {
	found, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil {
		panic(err)
	}
	return found
}

func mustRead(name string) []byte {
	data, err := os.ReadFile(name)
	if err != nil {
		panic(err)
	}
	return data
}

// TestLesson32_ApplicationNamesNoAccountOrCluster: every way to name one is an unknown key, in the file and at a pin.
func TestLesson32_ApplicationNamesNoAccountOrCluster(t *testing.T) {
	_, faults := config.ParseApplication("sluice.yaml", readFile(t, "testdata/application/bad/lesson32.yaml"))
	want := []string{
		"serviceAccount", "permissions", "environments[production].serviceAccount", "environments[production].cluster",
		"environments[production].kubeconfig", "environments[production].analysis", "environments[production].kinds",
	}
	var unknown []string
	for _, f := range faults {
		if strings.Contains(f.Message, "is not a known key") {
			unknown = append(unknown, f.Path)
		}
	}
	if diff := cmp.Diff(want, unknown); diff != "" {
		t.Errorf("unknown keys (-want +got):\n%s", diff)
	}
	for _, key := range []string{"serviceAccount", "kubeconfig", "namespace", "cluster"} {
		file := head + "environments:\n  - {name: a, namespace: a, source: {kustomize: {path: x}, " + key + ": y}}\n"
		if _, err := config.ParseSource("sluice.yaml", []byte(file), "a"); err == nil {
			t.Errorf("source takes %s", key)
		}
	}
	for _, namespace := range config.ReservedNamespaces() {
		file := head + "environments:\n  - {name: a, namespace: " + namespace + ", source: {kustomize: {path: x}}}\n"
		if _, faults := config.ParseApplication("sluice.yaml", []byte(file)); faults.For("a").Err() == nil {
			t.Errorf("namespace %s is taken", namespace)
		}
	}
}

func TestParseSource(t *testing.T) {
	file := head + `environments:
  - {name: test, source: {directory: {path: old}}, namespace: [nonsense]}
  - {name: live, source: {kustomize: {}}}
  - {name: bare}
  - &base {name: base, source: {directory: {path: base}}}
  - {<<: *base, name: derived}
`
	cases := map[string]struct {
		reason      string
		environment string
		was         []string
		path        string
		err         string
	}{
		"Name":    {"found by its name, other keys not read", "test", nil, "old", ""},
		"Was":     {"found by an earlier name", "staging", []string{"stage", "test"}, "old", ""},
		"Merged":  {"merges count", "derived", nil, "base", ""},
		"Absent":  {"says that it is not there", "nowhere", nil, "", `sluice.yaml: there is no environment "nowhere"`},
		"Invalid": {"a source must be valid", "live", nil, "", "sluice.yaml: line 6: environments[live].source.kustomize.path: is required"},
		"Missing": {"a source must be there", "bare", nil, "", "sluice.yaml: line 7: environments[bare].source: must have exactly one of helm, kustomize and directory, or helm with kustomize after it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			source, err := config.ParseSource("sluice.yaml", []byte(file), c.environment, c.was...)
			if text := errorText(err); text != c.err {
				t.Fatalf("%s: error %q, want %q", c.reason, text, c.err)
			}
			if err == nil && source.Directory.Path != c.path {
				t.Errorf("%s: got path %q, want %q", c.reason, source.Directory.Path, c.path)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
