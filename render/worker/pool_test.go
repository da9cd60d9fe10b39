package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice/render"
)

func pool(t testing.TB, cfg Config) *Pool {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func treeOf(t testing.TB, files map[string]string) render.Tree {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return open(t, dir)
}

func open(t testing.TB, dir string) render.Tree {
	t.Helper()
	tree, err := render.DirTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

var (
	chart   = render.Request{Application: "shop", Namespace: "shop", Source: render.Source{Helm: &render.Helm{Chart: "chart"}}}
	overlay = render.Request{Application: "shop", Namespace: "shop", Source: render.Source{Kustomize: &render.Kustomize{Path: "overlay"}}}
	plain   = render.Request{Application: "shop", Namespace: "shop", Source: render.Source{Directory: &render.Directory{Path: "plain"}}}
)

const (
	chartYAML = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"
	configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
	// A template that never ends, and is no recursion that Helm counts.
	endless = "{{ range $i, $_ := until 100000 }}{{ range $j, $_ := until 100000 }}{{ range $k, $_ := until 100000 }}{{ end }}{{ end }}{{ end }}"
	// One that doubles a text until there is no memory.
	swelling = "{{ $x := \"0123456789abcdef\" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}{{ len $x }}"
)

func withTemplate(text string) map[string]string {
	return map[string]string{"chart/Chart.yaml": chartYAML, "chart/templates/a.yaml": configMap + "data: {a: '" + text + "'}\n"}
}

func with(files, more map[string]string) map[string]string {
	maps.Copy(files, more)
	return files
}

// The golden cases of package render, and what each kind of fault looks like: here as there, byte for byte.
func TestWorkerRendersTheSame(t *testing.T) {
	p := pool(t, Config{})
	cases := map[string]struct {
		tree render.Tree
		req  render.Request
	}{
		"Chart":      {treeOf(t, withTemplate("{{ .Release.Name }}")), chart},
		"Overlay":    {treeOf(t, map[string]string{"base/a.yaml": configMap, "base/kustomization.yaml": "resources: [a.yaml]\n", "overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: x-\n"}), overlay},
		"Plain":      {treeOf(t, map[string]string{"plain/a.yaml": configMap + "data: {a: \"1\"}\nfloat: 1.5\nwhole: 12345678901\nnull: null\n"}), plain},
		"Large":      {treeOf(t, map[string]string{"plain/a.yaml": configMap + "data: {a: " + strings.Repeat("x", 3<<20) + "}\n"}), plain},
		"Typo":       {treeOf(t, map[string]string{"plain/a.yaml": "apiVersion: v1\nkind: [\n"}), plain},
		"Absent":     {treeOf(t, map[string]string{"a": "b"}), chart},
		"Template":   {treeOf(t, withTemplate("{{ fail \"no\" }}")), chart},
		"Empty":      {treeOf(t, map[string]string{"plain/a.txt": "b"}), plain},
		"NoSource":   {treeOf(t, map[string]string{"plain/a.txt": "b"}), render.Request{Application: "shop"}},
		"BadRelease": {treeOf(t, withTemplate("a")), render.Request{Application: "Shop!", Source: chart.Source}},
		"TooLarge":   {treeOf(t, map[string]string{"plain/a.yaml": "# " + strings.Repeat("x", 5<<20)}), plain},
	}
	names, err := filepath.Glob("../testdata/*/input")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		for kind, s := range map[string]render.Source{
			"chart": {Helm: &render.Helm{Chart: "chart"}}, "overlay": {Kustomize: &render.Kustomize{Path: "overlay"}},
			"plain": {Directory: &render.Directory{Path: "."}},
		} {
			cases[filepath.Base(filepath.Dir(name))+"/"+kind] = struct {
				tree render.Tree
				req  render.Request
			}{open(t, name), render.Request{Application: "shop", Environment: "staging", Namespace: "shop", Source: s}}
		}
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			want, wantErr := render.Render(t.Context(), tc.tree, tc.req)
			got, err := p.Render(t.Context(), tc.tree, tc.req)
			if want != nil && got != nil { // what is generated is another each time, in the same places
				want, got = alike(want), alike(got)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(render.Trace{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-here +there):\n%s", diff)
			}
			if fmt.Sprint(wantErr) != fmt.Sprint(err) {
				t.Fatalf("error %v, want %v", err, wantErr)
			}
			if err == nil {
				return
			}
			if want := errors.Is(wantErr, fs.ErrNotExist); errors.Is(err, fs.ErrNotExist) != want {
				t.Errorf("it says that something is absent: %v, want %v", !want, want)
			}
			wantTrace, wantKnown := render.TraceOf(wantErr)
			trace, known := render.TraceOf(err)
			if diff := cmp.Diff(wantTrace, trace, cmp.AllowUnexported(render.Trace{}), cmpopts.EquateEmpty()); known != wantKnown || diff != "" {
				t.Errorf("trace %v (-here +there):\n%s", known, diff)
			}
			var wantAt, at *render.Error
			if errors.As(wantErr, &wantAt) != errors.As(err, &at) {
				t.Fatalf("place %v, want %v", at, wantAt)
			}
			if at != nil && (at.Path != wantAt.Path || at.Line != wantAt.Line || at.Field != wantAt.Field || at.Error() != wantAt.Error()) {
				t.Errorf("place %v, want %v", at, wantAt)
			}
		})
	}
}

// broken is a tree whose store fails.
type broken struct{ render.Tree }

// alike is a result without the values that were generated.
func alike(r *render.Result) *render.Result {
	r = r.Masked()
	r.Generated = slices.Clone(r.Generated)
	for i := range r.Generated {
		r.Generated[i].Parts = nil
	}
	return r
}

var errStore = errors.New("the store is broken")

func (b broken) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: errStore}
}

// A damaged mirror is no fault of the files: whoever asked knows its own error again.
func TestWorkerKeepsTheErrorsOfTheTree(t *testing.T) {
	p := pool(t, Config{Processes: 1})
	_, err := p.Render(t.Context(), broken{treeOf(t, withTemplate("a"))}, plain)
	if !errors.Is(err, errStore) {
		t.Errorf("error %v", err)
	}
}

// Each bomb is an error of its own, within its limit, and the others do not notice.
func TestLesson12_BombsBesideNeighbours(t *testing.T) {
	limits := Config{Processes: 2, Memory: 256 << 20, Time: 6 * time.Second}
	p := pool(t, limits)
	bombs := map[string]struct {
		files map[string]string
		want  string
	}{
		"Endless":  {withTemplate(endless), "longer than"},
		"Endless2": {withTemplate(endless + "2"), "longer than"},
		"Endless3": {withTemplate(endless + "3"), "longer than"},
		"Swelling": {withTemplate(swelling), ""}, // its memory, or where the processor is busy the time
		"Overlaid": { // what was sent without being asked for says nothing of what is no folder
			with(withTemplate(endless), map[string]string{"overlay/kustomization.yaml": "patches: [{path: ../common/patch.yaml}] # see ../README.md", "common/patch.yaml": configMap, "README.md": "x"}),
			"longer than",
		},
		"Recursion": {withTemplate("{{ define \"a\" }}{{ include \"a\" . }}{{ end }}{{ include \"a\" . }}"), ""},
	}
	var bombed sync.WaitGroup
	for name, bomb := range bombs {
		tree, req := treeOf(t, bomb.files), chart
		if bomb.files["overlay/kustomization.yaml"] != "" {
			req.Source.Kustomize = overlay.Source.Kustomize
		}
		bombed.Go(func() {
			_, err := p.Render(t.Context(), tree, req)
			if err == nil || !strings.Contains(err.Error(), bomb.want) {
				t.Errorf("%s: error %v, want %q", name, err, bomb.want)
			}
			trace, known := render.TraceOf(err)
			if !known || !trace.Holds(tree, req) {
				t.Errorf("%s: nobody could tell whether another try is of use: %v", name, err)
			}
		})
	}
	neighbour := treeOf(t, withTemplate("well"))
	over := make(chan struct{})
	go func() {
		bombed.Wait()
		close(over)
	}()
	meanwhile := 0
	for going := true; going; {
		if _, err := p.Render(t.Context(), neighbour, chart); err != nil {
			t.Fatalf("the neighbour: %v", err)
		}
		select {
		case <-over:
			going = false
		default:
			meanwhile++
		}
	}
	if meanwhile == 0 {
		t.Error("the neighbour was rendered after all bombs alone")
	}
	if _, err := p.Render(t.Context(), neighbour, chart); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A render that is not wanted any more ends at once, its process too.
func TestWorkerEndsWithItsContext(t *testing.T) {
	p := pool(t, Config{Processes: 1})
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("superseded")
	time.AfterFunc(300*time.Millisecond, func() { cancel(cause) })
	began := time.Now()
	_, err := p.Render(ctx, treeOf(t, withTemplate(endless)), chart)
	if !errors.Is(err, cause) || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
	if _, err := p.Render(t.Context(), treeOf(t, withTemplate("well")), chart); err != nil {
		t.Error(err)
	}
}

// BenchmarkRender compares the two. What the processor was busy with is told beside the time, as that depends on who else is.
func BenchmarkRender(b *testing.B) {
	tree := treeOf(b, ordinary())
	for name, req := range map[string]render.Request{"Overlay": overlay, "Chart": chart} {
		b.Run(name+"/Here", func(b *testing.B) {
			before := cpu(b)
			for b.Loop() {
				if _, err := render.Render(b.Context(), tree, req); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
		})
		b.Run(name+"/There", func(b *testing.B) {
			before := cpu(b)
			p := pool(b, Config{})
			for b.Loop() {
				if _, err := p.Render(b.Context(), tree, req); err != nil {
					b.Fatal(err)
				}
			}
			p.Close()
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
		})
	}
}

// cpu is what this process and its children that have ended have used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var all time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err != nil {
			b.Fatal(err)
		}
		all += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return all
}

// ordinary is a chart of twenty objects and an overlay of five.
func ordinary() map[string]string {
	files := map[string]string{
		"chart/Chart.yaml":           chartYAML,
		"base/kustomization.yaml":    "resources: [a.yaml, b.yaml, c.yaml, d.yaml, e.yaml]\n",
		"overlay/kustomization.yaml": "resources: [../base]\nnamePrefix: x-\n",
	}
	for _, n := range []string{"a", "b", "c", "d", "e"} {
		files["base/"+n+".yaml"] = strings.Replace(configMap, "name: a", "name: "+n, 1)
	}
	for n := range 20 {
		files[fmt.Sprintf("chart/templates/%d.yaml", n)] = fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\ndata: {a: '{{ .Release.Name }}'}\n", n)
	}
	return files
}

// What an ordinary render reads was sent before it asked, a base beside its overlay too: a question costs two switches.
func TestWorkerAsksLittle(t *testing.T) {
	p, err := start(DefaultMemory)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	tree := treeOf(t, ordinary())
	for name, tc := range map[string]struct {
		req  render.Request
		most int
	}{"Chart": {chart, 0}, "Overlay": {overlay, 0}} {
		a := newAnswerer(render.NewWitness(t.Context(), tree, tc.req))
		if _, err := p.renderBy(a, tc.req); err != nil {
			t.Fatal(err)
		}
		if a.asked > tc.most {
			t.Errorf("%s: %d questions", name, a.asked)
		}
		t.Logf("%s: %d questions, %d files sent", name, a.asked, len(a.sent))
	}
}

// Without a barrier before the network there are no renders, unless somebody who runs the agent allows it.
func TestNetworkBarrierIsRequired(t *testing.T) {
	for name, tc := range map[string]struct {
		barriers []string
		allowed  bool
		want     error
	}{
		"OneBarrier": {[]string{"seccomp"}, false, nil},
		"None":       {nil, false, ErrNetwork},
		"NoneNeeded": {nil, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if err := (Config{AllowNetwork: tc.allowed}).accepts(hello{Network: tc.barriers}); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// What swells is ended by what it may hold, long before its time is up.
func TestWorkerIsBoundedInMemory(t *testing.T) {
	p := pool(t, Config{Processes: 1, Memory: 256 << 20, Time: 5 * time.Minute})
	_, err := p.Render(t.Context(), treeOf(t, withTemplate(swelling)), chart)
	var lost *LostError
	// The race detector asks for memory of its own, and ends the process with 66 where there is none.
	if !errors.As(err, &lost) || !strings.Contains(err.Error(), "memory") && !strings.Contains(err.Error(), "exit status 66") {
		t.Errorf("error %v", err)
	}
}
