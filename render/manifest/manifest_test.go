package manifest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestSplit(t *testing.T) {
	type part struct {
		First int
		Data  string
	}
	tests := map[string]struct {
		reason, data string
		want         []part
	}{
		"One":           {"no marker at all", "a: 1\n", []part{{1, "a: 1\n"}}},
		"Two":           {"lines count on", "a: 1\n---\nb: 2\n", []part{{1, "a: 1\n"}, {3, "b: 2\n"}}},
		"Empty":         {"comments and space are nothing", "---\n# x\n---\n\n  \n---\na: 1", []part{{7, "a: 1"}}},
		"Comment":       {"a marker may carry a comment", "--- # first\na: 1\n", []part{{1, "# first\na: 1\n"}}},
		"Glued":         {"templates glue text to the marker", "a: 1\n---b: 2\n", []part{{1, "a: 1\n"}, {2, "b: 2\n"}}},
		"Flow":          {"content on the marker's line", "--- {a: 1}\n", []part{{1, "{a: 1}\n"}}},
		"Dots":          {"an end marker ends a document too", "a: 1\n...\nb: 2\n", []part{{1, "a: 1\n"}, {3, "b: 2\n"}}},
		"Directive":     {"before the first marker", "%YAML 1.1\n---\na: 1\n", []part{{3, "a: 1\n"}}},
		"Windows":       {"carriage returns", "a: 1\r\n---\r\nb: 2\r\n", []part{{1, "a: 1\r\n"}, {3, "b: 2\r\n"}}},
		"ByteOrderMark": {"is no content", "\xef\xbb\xbfa: 1\n", []part{{1, "a: 1\n"}}},
		"Indented":      {"a certificate in a block is text", "a: |\n  ---\n  -----BEGIN\n", []part{{1, "a: |\n  ---\n  -----BEGIN\n"}}},
		"Macintosh":     {"a carriage return alone ends a line", "# x\ra: 1\r---\rb: 2", []part{{1, "# x\ra: 1\r"}, {4, "b: 2"}}},
		"Unicode":       {"and so do these to YAML", "# x\u2028a: 1\u0085---\u2029b: 2", []part{{1, "# x\u2028a: 1\u0085"}, {4, "b: 2"}}},
		"Dashes":        {"four dashes are no marker", "a: 1\n----\n", []part{{1, "a: 1\n----\n"}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var got []part
			for _, d := range split([]byte(tc.data)) {
				got = append(got, part{d.first, string(d.data)})
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

// FuzzParse holds the splitter against the YAML library: what the library takes for n documents with content must not
// come out as fewer objects, or one would be lost without a word.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"kind: A\napiVersion: v1\n---\nkind: B\napiVersion: v1\n", "--- {apiVersion: v1, kind: A}\n---\n...\n---\n# x\n",
		"apiVersion: v1\nkind: A\n...\napiVersion: v1\nkind: B\n", "%YAML 1.1\n---\n{\"apiVersion\": \"v1\", \"kind\": \"A\"}\n",
		"apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: A}]\n", "a: &a [*a]\n", "\xef\xbb\xbf---\r\nkind: A\r\napiVersion: v1\r\n",
		"apiVersion: v1\nkind: A\ndata: |\n ---\n ...\n", "# old line ends\rapiVersion: v1\rkind: A\r",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		objects, err := Parse("fuzz.yaml", data, Lenient)
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) || fault.Path != "fuzz.yaml" {
				t.Fatalf("fault names no file: %v", err)
			}
			return
		}
		lists := false
		for _, o := range objects {
			if o.Object == nil || o.GetKind() == "" || o.GetAPIVersion() == "" {
				t.Fatalf("not an object: %v", o.Object)
			}
			lists = lists || strings.HasSuffix(o.GetKind(), "List")
		}
		want := 0
		dec := yaml.NewDecoder(bytes.NewReader(data))
		for {
			var value any
			err := dec.Decode(&value)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return // it reads fewer dialects than we do
			}
			if m, ok := value.(map[string]any); ok && !strings.HasSuffix(text(m["kind"]), "List") {
				want++
			}
		}
		if len(objects) < want {
			t.Fatalf("%d objects of %d documents", len(objects), want)
		}
	})
}

func text(value any) string {
	s, _ := value.(string)
	return s
}

func TestErrorReads(t *testing.T) {
	cause := errors.New("cause")
	tests := map[string]struct {
		err  *Error
		want string
	}{
		"All":       {&Error{"a.yaml", 4, "spec.x", cause}, "a.yaml: line 4: spec.x: cause"},
		"FileOnly":  {&Error{Path: "a.yaml", Err: cause}, "a.yaml: cause"},
		"FieldOnly": {&Error{Field: "helm.chart", Err: cause}, "helm.chart: cause"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.err.Error(); got != tc.want || !errors.Is(tc.err, cause) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestMapping(t *testing.T) {
	tests := map[string]struct {
		data string
		want map[string]any
		err  string
	}{
		"Numbers": {"a: 1\nb: null\n", map[string]any{"a": 1.0, "b": nil}, ""},
		"Empty":   {"# nothing\n", map[string]any{}, ""},
		"List":    {"- a\n", nil, "v.yaml: must be a mapping, is a list"},
		"Broken":  {"a: [\n", nil, "v.yaml: line 1: did not find expected node content"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Mapping("v.yaml", []byte(tc.data))
			if (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
				t.Errorf("error %v, want %q", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
