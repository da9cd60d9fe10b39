package parity

import (
	"strings"
	"testing"
)

// TestCompare: the comparison finds what differs, and only that.
func TestCompare(t *testing.T) {
	const theirs = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {}}\nstringData: {p: x7, q: 'user:x7'}\ndata: {r: dXNlcjp4Nw==}\n"
	for name, tc := range map[string]struct{ ours, want string }{
		"Same":       {"apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: parity, annotations: null}\nstringData: {p: x7, q: 'user:x7'}\ndata: {r: dXNlcjp4Nw==}\n", ""},
		"Generated":  {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {p: <generated>, q: 'user:<generated>'}\ndata: {r: dXNlcjo8Z2VuZXJhdGVkPg==}\n", ""},
		"AroundIt":   {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {p: <generated>, q: 'USER:<generated>'}\ndata: {r: dXNlcjp4Nw==}\n", ".stringData.q: the program has \"user:x7\""},
		"Another":    {"apiVersion: v1\nkind: Secret\nmetadata: {name: b}\n", "only sluice has v1 Secret <nil>/b"},
		"LessOf":     {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {p: x7, q: 'user:x7'}\n", ".data: the program has"},
		"AnotherNil": {"apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: other}\n", "sluice lacks v1 Secret <nil>/a"},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := decode([]byte(theirs))
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode([]byte(tc.ours))
			if err != nil {
				t.Fatal(err)
			}
			all := strings.Join(compare(want, got), "\n")
			if tc.want == "" && all != "" || !strings.Contains(all, tc.want) {
				t.Errorf("it differs by %q, want %q", all, tc.want)
			}
		})
	}
}
