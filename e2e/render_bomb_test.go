package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const renderChart = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"

// What a hostile repository sends: each costs its own application its release, and nobody else anything.
var bombs = []struct {
	name  string
	files func(t *testing.T) map[string]string
	fix   map[string]string
	says  string
}{
	{"endless", func(*testing.T) map[string]string {
		return chartOf("{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}")
	}, chartOf("well"), "longer than 20s"},
	{"memory", func(*testing.T) map[string]string {
		return chartOf("{{ $x := \"0123456789abcdef\" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}")
	}, chartOf("well"), "more memory than it may have"},
	{"yaml", func(*testing.T) map[string]string {
		text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yaml}\na0: &a0 [x, x, x, x, x, x, x, x, x]\n"
		for i := range 9 {
			text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", "))
		}
		return map[string]string{"chart/Chart.yaml": renderChart, "chart/values.yaml": text, "chart/templates/a.yaml": renderedMap("yaml", "well")}
	}, map[string]string{"chart/values.yaml": "{}\n"}, "aliases expand to more than"},
	{"gzip", func(t *testing.T) map[string]string {
		return map[string]string{
			"chart/Chart.yaml": renderChart, "chart/templates/a.yaml": renderedMap("gzip", "well"), "chart/charts/zeros.tgz": zeros(t, 1<<30),
		}
	}, map[string]string{"chart/charts/zeros.tgz": ""}, "zeros.tgz"},
}

// chartOf is a chart of one ConfigMap with this in it.
func chartOf(text string) map[string]string {
	return map[string]string{"chart/Chart.yaml": renderChart, "chart/templates/a.yaml": renderedMap("{{ .Release.Name }}", text)}
}

func renderedMap(name, text string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '" + name + "'}\ndata: {text: '" + text + "'}\n"
}

// zeros is a packed chart with a file of so many of them, a thousandth of that when packed.
func zeros(t *testing.T, size int64) string {
	t.Helper()
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	pack := tar.NewWriter(zip)
	for _, f := range []struct {
		name string
		text io.Reader
		size int64
	}{
		{"zeros/Chart.yaml", strings.NewReader("apiVersion: v2\nname: zeros\nversion: 1.0.0\n"), 42},
		{"zeros/templates/zeros.yaml", io.LimitReader(nothing{}, size), size},
	} {
		if err := pack.WriteHeader(&tar.Header{Name: f.name, Typeflag: tar.TypeReg, Size: f.size, Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(pack, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := pack.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// nothing reads zeros.
type nothing struct{}

func (nothing) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// putApplication writes an application in a folder of its own, that is rendered from its chart into staging.
func putApplication(t *testing.T, s *world.Story, name string, files map[string]string) {
	t.Helper()
	s.Repo.Write(t, name+"/sluice.yaml", "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: "+name+"}\nenvironments:\n"+
		s.Block("staging", "helm: {chart: chart}"))
	for file, text := range files {
		s.Repo.Write(t, name+"/"+file, text)
	}
}

// awaitPhaseOf waits for the word on an application in staging.
func awaitPhaseOf(t *testing.T, s *world.Story, application, revision, phase string) world.Note {
	t.Helper()
	return s.Repo.AwaitNote(t, world.Patience, application+": "+phase, "staging", func(n world.Note) bool {
		return n.Application == application && n.On == revision && n.Phase == phase
	})
}

// TestRenderBombBesideNeighbours: an endless loop, one that swallows memory, a YAML bomb and a gzip bomb are errors of four
// applications; the two beside them are deployed meanwhile, and again, before the loop has met its end.
func TestRenderBombBesideNeighbours(t *testing.T) {
	s := begin(t, "renderbomb")
	s.Agent.Config.Repositories[0].Applications = map[string]any{"path": "*"}
	s.Agent.Config.Render = map[string]any{"processes": 2, "memory": "256Mi", "time": "20s"}
	neighbours := []string{"left", "right"}
	for _, name := range neighbours {
		putApplication(t, s, name, chartOf("first"))
	}
	first := s.Repo.Commit(t, "Two applications")
	s.Agent.Start(t)
	t.Run("TheLogSaysWhatIsActive", func(t *testing.T) {
		s.Agent.AwaitLog(t, "Rendering in processes of their own", "2 processes: memory 256 MiB, time 20s, network none (", "files none (")
	})
	for _, name := range neighbours {
		awaitPhaseOf(t, s, name, first, "Healthy")
	}
	for _, bomb := range bombs {
		putApplication(t, s, bomb.name, bomb.files(t))
	}
	for _, name := range neighbours {
		s.Repo.Write(t, name+"/chart/templates/a.yaml", renderedMap("{{ .Release.Name }}", "second"))
	}
	bombed := s.Repo.Commit(t, "Four bombs, and something for the two")
	var deployed []world.Note
	t.Run("TheNeighboursAreDeployedMeanwhile", func(t *testing.T) {
		for _, name := range neighbours {
			deployed = append(deployed, awaitPhaseOf(t, s, name, bombed, "Healthy"))
		}
		s.Repo.Write(t, "left/chart/templates/a.yaml", renderedMap("{{ .Release.Name }}", "third"))
		third := s.Repo.Commit(t, "The loop still runs")
		deployed = append(deployed, awaitPhaseOf(t, s, "left", third, "Healthy"))
	})
	for _, bomb := range bombs {
		t.Run("Lesson12_"+bomb.name+"IsItsOwnApplicationsError", func(t *testing.T) {
			note := awaitPhaseOf(t, s, bomb.name, bombed, "Blocked")
			// An agent with the race detector asks for memory of its own, and ends the process with 66 where there is none.
			if !note.Says(bomb.says) && (bomb.name != "memory" || !note.Says("exit status 66")) {
				t.Errorf("the note does not say %q: %s", bomb.says, note.Text)
			}
			if bomb.name != "endless" {
				return
			}
			for _, n := range deployed {
				if !n.At.Before(note.At) {
					t.Errorf("%s was told of only at %s, when the loop had ended at %s", n.Application, n.At, note.At)
				}
			}
		})
	}
	t.Run("NothingIsRenderedAgainWhileNothingChanges", func(t *testing.T) {
		before, err := s.Agent.Metric("sluice_renders_total", `hit="false"`)
		if err != nil {
			t.Fatal(err)
		}
		s.Repo.Write(t, "README.md", "Nothing that anybody renders.\n")
		s.Repo.Commit(t, "A word")
		s.Agent.AwaitPolls(t)
		if after, err := s.Agent.Metric("sluice_renders_total", `hit="false"`); err != nil || after != before {
			t.Errorf("%v renders since, %v", after-before, err)
		}
	})
	t.Run("TheFixIsDeployed", func(t *testing.T) {
		for _, bomb := range bombs {
			for file, text := range bomb.fix {
				if text == "" {
					s.Repo.Remove(t, bomb.name+"/"+file)
					continue
				}
				s.Repo.Write(t, bomb.name+"/"+file, text)
			}
		}
		fixed := s.Repo.Commit(t, "Without the bombs")
		for _, bomb := range bombs {
			awaitPhaseOf(t, s, bomb.name, fixed, "Healthy")
		}
	})
}
