package cache

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/render"
)

// counter counts what is really rendered.
type counter struct{ renders int }

func (c *counter) Render(ctx context.Context, tree render.Tree, req render.Request) (*render.Result, error) {
	c.renders++
	return render.Render(ctx, tree, req)
}

type bench struct {
	*testing.T
	files, dir string
	tree       render.Tree
	counter
}

var request = render.Request{
	Application: "shop", Namespace: "shop", Source: render.Source{Helm: &render.Helm{Chart: "chart", Values: []string{"values.yaml"}}},
	Capabilities: render.Capabilities{KubeVersion: "v1.36.0"},
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{T: t, files: t.TempDir(), dir: filepath.Join(t.TempDir(), "renders")}
	b.put("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n")
	b.put("chart/templates/a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"+
		"data: {a: '{{ .Values.a }}', v: '{{ .Capabilities.KubeVersion.Minor }}', n: \"{{ .Release.Name }}\"}\n")
	b.put("values.yaml", "a: one\n")
	b.put("README.md", "one\n")
	tree, err := render.DirTree(b.files)
	if err != nil {
		t.Fatal(err)
	}
	b.tree = tree
	return b
}

func (b *bench) put(name, text string) {
	b.Helper()
	at := filepath.Join(b.files, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
		b.Fatal(err)
	}
}

// start is the cache as a fresh process has it.
func (b *bench) start(key string, change ...func(*Config)) *Keyed {
	b.Helper()
	cfg := Config{Dir: b.dir, Program: "one"}
	for _, c := range change {
		c(&cfg)
	}
	c, err := Open(cfg)
	if err != nil {
		b.Fatal(err)
	}
	return c.With([]byte(key), &b.counter)
}

// renders renders with the cache, wants the result to be that without one, and says whether it was really rendered.
func (b *bench) rendered(k *Keyed, req render.Request) bool {
	b.Helper()
	before := b.renders
	got, err := k.Render(b.Context(), b.tree, req)
	if err != nil {
		b.Fatal(err)
	}
	want, err := render.Render(b.Context(), b.tree, req)
	if err != nil {
		b.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(render.Trace{})); diff != "" {
		b.Errorf("(-rendered +known):\n%s", diff)
	}
	return b.renders > before
}

func (b *bench) entries() []string {
	b.Helper()
	names, err := filepath.Glob(filepath.Join(b.dir, "*"+suffix))
	if err != nil {
		b.Fatal(err)
	}
	return names
}

func TestHitIsExact(t *testing.T) {
	b := newBench(t)
	b.rendered(b.start("key"), request)
	other := request
	other.Namespace = "other"
	newer := request
	newer.Capabilities.KubeVersion = "v1.37.0"
	for _, tc := range []struct {
		name   string
		change func()
		req    render.Request
		again  bool
	}{
		{"AfterARestart", func() {}, request, false},
		{"AnotherFile", func() { b.put("README.md", "two\n") }, request, false},
		{"AFileThatWasRead", func() { b.put("values.yaml", "a: two\n") }, request, true},
		{"AsItWasBefore", func() { b.put("values.yaml", "a: one\n") }, request, false},
		{"ANewTemplate", func() { b.put("chart/templates/b.yaml", "# none\n") }, request, true},
		{"AnotherShape", func() {}, other, true},
		{"AnotherAnswerOfTheCluster", func() {}, newer, true},
		{"BothAreKept", func() {}, request, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.change()
			b.T = t
			if again := b.rendered(b.start("key"), tc.req); again != tc.again {
				t.Errorf("rendered again: %v", again)
			}
		})
	}
}

// Whoever can write into the folder can at most have things rendered again.
func TestTamperedEntriesAreNotBelieved(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, entry string){
		"EachByte": func(t *testing.T, entry string) {
			data, err := os.ReadFile(entry)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 1
			save(t, entry, data)
		},
		"CutOff": func(t *testing.T, entry string) {
			data, err := os.ReadFile(entry)
			if err != nil {
				t.Fatal(err)
			}
			save(t, entry, data[:len(data)-10])
		},
		"Empty":     func(t *testing.T, entry string) { save(t, entry, nil) },
		"OnlyAHash": func(t *testing.T, entry string) { save(t, entry, make([]byte, 32)) },
		"ALink": func(t *testing.T, entry string) {
			if err := os.Rename(entry, entry+".elsewhere"); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(entry+".elsewhere", entry); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.rendered(b.start("key"), request)
			entries := b.entries()
			if len(entries) != 1 {
				t.Fatalf("entries: %v", entries)
			}
			change(t, entries[0])
			if !b.rendered(b.start("key"), request) {
				t.Error("it was believed")
			}
			if b.rendered(b.start("key"), request) {
				t.Error("the good one that was made since was not")
			}
		})
	}
}

func save(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// An entry of one request under the name of another is not its answer, though its hash is right.
func TestEntryOfAnotherRequestIsNotBelieved(t *testing.T) {
	b := newBench(t)
	k := b.start("key")
	b.rendered(k, request)
	other := request
	other.Namespace = "other"
	entry := b.entries()[0]
	data, err := os.ReadFile(entry)
	if err != nil {
		t.Fatal(err)
	}
	save(t, filepath.Join(b.dir, k.shape(other)+"-0"+suffix), data)
	if !b.rendered(b.start("key"), other) {
		t.Error("it was believed")
	}
}

func TestAnotherKeyOrProgramIsAnotherCache(t *testing.T) {
	b := newBench(t)
	b.rendered(b.start("key"), request)
	if !b.rendered(b.start("other"), request) {
		t.Error("another key was believed")
	}
	if !b.rendered(b.start("key", func(c *Config) { c.Program = "two" }), request) {
		t.Error("another program was believed")
	}
}

// A process that was killed while it wrote leaves a part, which the next one removes.
func TestPartsOfACrashGo(t *testing.T) {
	b := newBench(t)
	b.rendered(b.start("key"), request)
	save(t, filepath.Join(b.dir, "123"+partial), []byte("half"))
	b.start("key")
	left, err := filepath.Glob(filepath.Join(b.dir, "*"+partial))
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestSizeIsBounded(t *testing.T) {
	b := newBench(t)
	small := func(c *Config) { c.Bytes = 16 << 10 }
	k := b.start("key", small)
	var last render.Request
	for i := range 60 {
		last = request
		last.Namespace = fmt.Sprintf("n%d", i)
		b.rendered(k, last)
	}
	var size int64
	for _, name := range b.entries() {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 16<<10 || size == 0 {
		t.Errorf("%d bytes", size)
	}
	if b.rendered(b.start("key", small), last) {
		t.Error("the newest is gone")
	}
	for i := range 3 * candidates {
		b.put("values.yaml", fmt.Sprintf("a: %d\n", i))
		b.rendered(k, last)
	}
	if n := len(k.kept[k.shape(last)]); n > candidates {
		t.Errorf("%d of one shape", n)
	}
}

// What was used goes after what was not.
func TestUsedIsKept(t *testing.T) {
	b := newBench(t)
	k := b.start("key")
	b.rendered(k, request)
	b.rendered(k, request)
	entry := b.entries()[0]
	old := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(entry, old, old); err != nil {
		t.Fatal(err)
	}
	b.rendered(b.start("key"), request)
	info, err := os.Stat(entry)
	if err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("used %v ago, %v", time.Since(info.ModTime()), err)
	}
}

// A field that nobody said may be kept is not, whatever it is.
func TestResultOfAnotherShapeIsNotKept(t *testing.T) {
	var fields map[string]any
	text, err := json.Marshal(render.Result{})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Generated", "Looked"} {
		if strings.Contains(strings.Join(known(), " "), name) {
			t.Errorf("%s may be kept", name)
		}
	}
	for _, name := range known() {
		if _, ok := fields[name]; !ok && name != "Tests" {
			t.Errorf("%s is no field of a result", name)
		}
	}
}
