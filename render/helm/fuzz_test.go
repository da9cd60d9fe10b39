package helm

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/sluice-cd/sluice/render/manifest"
)

// FuzzUnpack: whatever a packed chart holds, it is taken in within its bounds or refused.
func FuzzUnpack(f *testing.F) {
	inner := packed(f, map[string]string{"db/Chart.yaml": "name: db\nversion: 1.0.0\n"})
	f.Add(packed(f, map[string]string{"web/Chart.yaml": "name: web\nversion: 1.0.0\n", "web/templates/a.yaml": "a: {{ .Values.b }}", "web/charts/db.tgz": string(inner)}))
	f.Add(packed(f, map[string]string{"../web/Chart.yaml": "a: b", "web/../../x": "y", `web\..\..\x`: "z", "C:/x": ""}))
	f.Add(inner[:len(inner)/2])
	f.Add([]byte("no archive"))
	f.Fuzz(func(t *testing.T, data []byte) {
		b := &bundle{root: "chart.tgz", data: map[string][]byte{}}
		if err := b.unpack("", "chart.tgz", data, 0); err != nil {
			return
		}
		total := 0
		for name, text := range b.data {
			total += len(text)
			if len(text) > manifest.MaxFile || name == "" || name[0] == '/' {
				t.Errorf("%q of %d bytes was taken in", name, len(text))
			}
		}
		if total > maxChartBytes || len(b.names) > maxChartFiles || len(b.names) != len(b.data) {
			t.Errorf("%d files of %d bytes were taken in", len(b.names), total)
		}
		_ = b.check()
	})
}

func packed(f *testing.F, files map[string]string) []byte {
	f.Helper()
	var made bytes.Buffer
	zipped := gzip.NewWriter(&made)
	archive := tar.NewWriter(zipped)
	for name, text := range files {
		err := archive.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text))})
		if _, failed := archive.Write([]byte(text)); err != nil || failed != nil {
			f.Fatal(err, failed)
		}
	}
	if err := archive.Close(); err != nil {
		f.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		f.Fatal(err)
	}
	return made.Bytes()
}

// FuzzValues: values are merged or refused; what is merged with itself stays as it is, and the later one wins.
func FuzzValues(f *testing.F) {
	f.Add([]byte("a: {b: 1, c: null}\n"), []byte("a: {b: 2}\nd: [1]\n"))
	f.Add([]byte("a: &x {b: *x}"), []byte("a: 1"))
	f.Add([]byte("1: 2\ntrue: x\n? [a]\n: b\n"), []byte("a: .nan\nb: 0x10\nc: 1e400\n"))
	f.Add([]byte("\xef\xbb\xbfa: b"), []byte("--- {a: b}\n---\nc: d"))
	f.Fuzz(func(t *testing.T, one, other []byte) {
		tree := fstest.MapFS{"one.yaml": {Data: one}, "other.yaml": {Data: other}}
		merged, err := mergeValues(tree, nil, []string{"one.yaml", "other.yaml"}, nil)
		if err != nil {
			return
		}
		if _, err := json.Marshal(merged); err != nil {
			t.Fatalf("what was merged is no JSON: %v", err)
		}
		again, err := mergeValues(tree, nil, []string{"one.yaml", "other.yaml", "other.yaml"}, nil)
		if err != nil || !reflect.DeepEqual(merged, again) {
			t.Errorf("the second one twice gives %v, once %v: %v", again, merged, err)
		}
		last, err := mergeValues(tree, nil, []string{"other.yaml"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range last {
			if _, isMap := value.(map[string]any); !isMap && !reflect.DeepEqual(merged[key], value) {
				t.Errorf("%q is %v, the later one says %v", key, merged[key], value)
			}
		}
	})
}

// FuzzLoad: a chart's own files are loaded or refused.
func FuzzLoad(f *testing.F) {
	f.Add([]byte("name: web\nversion: 1.0.0\ndependencies: [{name: db, alias: x, condition: a.b}]\n"), []byte("a: {b: null}\n"), []byte("{}"), []byte("{{ define \"x\" }}{{ end }}"))
	f.Add([]byte("name: ../web\nversion: 1\nkubeVersion: '>'\n"), []byte("[]"), []byte("{"), []byte("{{"))
	f.Add([]byte("apiVersion: v1\nname: web\nversion: 1.0.0\ntype: library"), []byte("null"), []byte(`{"$ref":"#"}`), []byte(""))
	f.Fuzz(func(t *testing.T, chart, values, schema, template []byte) {
		tree := fstest.MapFS{
			"c/Chart.yaml": {Data: chart}, "c/values.yaml": {Data: values}, "c/values.schema.json": {Data: schema}, "c/templates/_a.tpl": {Data: template},
			"c/charts/db/Chart.yaml": {Data: []byte("name: db\nversion: 1.0.0\n")},
		}
		files, err := collect(tree, "c")
		if err != nil || files.check() != nil {
			return
		}
		caps, err := target("", nil)
		if err != nil {
			t.Fatal(err)
		}
		j := job{Input: Input{Tree: tree, Chart: "c", Release: "r"}, files: files, values: map[string]any{}, caps: caps, notes: &questions{}}
		loaded, err := j.load()
		if err != nil || j.accept(loaded) != nil {
			return
		}
		_ = validate(loaded, loaded.Values, "c")
		scanChart(loaded)
	})
}
