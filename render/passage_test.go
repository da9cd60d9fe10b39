package render

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompared(t *testing.T) {
	base := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const cert, other = "-----BEGIN X-----\nMIIB\nAAAA\n-----END X-----\n", "-----BEGIN X-----\nMIIC\nBB==\nCCCC\n-----END X-----\n"
	tests := map[string]struct {
		reason, one, other, shown string
		encoded                   bool
		// kept is what the place had, with other things that Git says around it, and filled what it becomes.
		kept, filled string
	}{
		"Whole": {"nothing comes from Git", "a8Kx", "‹q›", "<generated>", false, "old", "old"},
		"Empty": {"one of them may be empty", "", "x", "<generated>", false, "old", "old"},
		"Line": {"a line of a file", "port=80\npassword=aK8\nend", "port=80\npassword=‹aQx›\nend",
			"port=80\npassword=<generated>\nend", false, "port=79\nmore\npassword=old\n", "port=80\npassword=old\nend"},
		"SameBeginning": {"chance gave the same first letters", "x: 'abc1'\n", "x: 'abd2'\n", "x: '<generated>'\n", false, "x: 'old'", "x: 'old'\n"},
		"Two": {"two that stand after the same", "- key: a1\n- key: b2\n", "- key: ‹c›\n- key: ‹d›\n",
			"- key: <generated>\n- key: <generated>\n", false, "- key: old\n- key: older\n", "- key: old\n- key: older\n"},
		"LineAlone": {"only its place says which", "a\nR1\n", "a\n‹R2›\n", "a\n<generated>\n", false, "b\nold\n", "a\nold\n"},
		"Encoded": {"Secrets are encoded", base("u=shop\np=aK8\n"), base("u=shop\np=‹b›\n"), "u=shop\np=<generated>\n", true,
			base("u=other\np=old\n"), base("u=shop\np=old\n")},
		"EncodedElsewhere": {"only a mark says that it is", base("u=shop\np=aK8\n"), base("u=shop\np=‹b›\n"), "u=shop\np=<generated>\n", false,
			base("u=other\np=old\n"), base("u=shop\np=old\n")},
		"EncodedWhole": {"it stays encoded", base("aK8x"), base("‹b›"), "<generated>", true, base("old"), base("old")},
		"NotEncoded":   {"by chance it could be", "abcd", "efgh", "<generated>", false, "old", "old"},
		"Certificate":  {"with other lengths", "a\n" + cert + "b\n", "a\n" + other + "b\n", "a\n<generated>b\n", false, "c\n" + other + "d\n", "a\n" + other + "b\n"},
		"Lines":        {"more of them: all of it is", "a\nb\n", "a\n", "<generated>", false, "old", "old"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			of := compared(tc.one, []string{tc.other}, tc.encoded)
			if diff := cmp.Diff(tc.shown, of.shown()); diff != "" {
				t.Errorf("%s: shown (-want +got):\n%s", tc.reason, diff)
			}
			var made, kept []string
			for _, p := range of.parts() {
				made = append(made, p.Text)
			}
			if diff := cmp.Diff(tc.one, of.with(made)); diff != "" {
				t.Errorf("%s: put together again (-want +got):\n%s", tc.reason, diff)
			}
			for i, found := range of.in(tc.kept) {
				if found == nil {
					t.Fatalf("%s: part %d is not found", tc.reason, i)
				}
				kept = append(kept, *found)
			}
			if diff := cmp.Diff(tc.filled, of.with(kept)); diff != "" {
				t.Errorf("%s: filled (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestComparedFindsNothingElsewhere(t *testing.T) {
	made := compared("password=aK8\n", []string{"password=‹b›\n"}, false)
	if found := made.in("user=old\n"); found[0] != nil {
		t.Errorf("found %q", *found[0])
	}
}
