package manifest

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// FuzzValue holds the short way of decoding against the long one, over a text of JSON.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{
		"a: 1\nb: [x, yes, ~, 0x1f, 0b11, 017, 1_000]\n", "1: a\n\"1\": b\n", "true: 1\n1.5: 2\n", "a: 1.0\nb: -0.0\nc: .inf\n", "~: 1\n",
		"a: !!binary aGVsbG//\n", "a: 18446744073709551615\nb: 9223372036854775808\nc: -9223372036854775808\n", "a: 2001-12-14\nb: !!timestamp 2001-12-14\n",
		"a: &x {b: [1, {}, []]}\nc: *x\nd: {<<: *x, e: 1}\n", "? [a]\n: b\n", "a: 1\na: 2\n", "- !!set {a, b}\n- !!omap [a: 1]\n", "a: \"\\xff\\ud800<>&\\u2028\"\n", "", "~", "a: 1e3\n",
		"{\"a\": [1, 2.5, null]}", "a: \xff\n", "a: !!str 1\nb: !!float 1\nc: !!int \"3\"\nd: !!null x\n", "a: 1e999\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if Check("fuzz.yaml", data) != nil {
			return
		}
		compare := func(number func(int64) any, mode Mode, fromJSON func([]byte, any) error) {
			got, err := value(data, mode, number, fromJSON)
			convert := yaml.YAMLToJSON
			if mode == Strict {
				convert = yaml.YAMLToJSONStrict
			}
			long := func() (want any, err error) {
				text, err := convert(data)
				if err != nil {
					return nil, err
				}
				err = fromJSON(text, &want)
				return want, err
			}
			want, wantErr := long()
			for range 50 { // of the keys "1" and 1 either may win
				if cmp.Equal(want, got) {
					break
				}
				want, wantErr = long()
			}
			if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
				t.Fatalf("error %v, want %v", err, wantErr)
			}
			if err == nil && !cmp.Equal(want, got) {
				t.Fatal(cmp.Diff(want, got))
			}
		}
		for _, mode := range []Mode{Strict, Lenient} {
			compare(func(n int64) any { return n }, mode, utiljson.Unmarshal)
		}
		compare(func(n int64) any { return float64(n) }, Lenient, json.Unmarshal)
	})
}
