package wire

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAddress(t *testing.T) {
	cases := map[string]struct {
		reason string
		in     string
		want   Address
		fails  bool
	}{
		"HTTPS":      {reason: "the usual form", in: "https://git.example.org/team/shop.git", want: Address{Scheme: "https", Host: "git.example.org", Path: "/team/shop.git"}},
		"Port":       {reason: "a port stays with the host", in: "http://127.0.0.1:3000/shop.git", want: Address{Scheme: "http", Host: "127.0.0.1:3000", Path: "/shop.git"}},
		"User":       {reason: "a user alone is no secret", in: "https://agent@git.example.org/shop", want: Address{Scheme: "https", User: "agent", Host: "git.example.org", Path: "/shop"}},
		"SSH":        {reason: "with a scheme", in: "ssh://git@git.example.org:2222/shop.git", want: Address{Scheme: "ssh", User: "git", Host: "git.example.org:2222", Path: "/shop.git"}},
		"Short":      {reason: "and the short form, whose path has no slash", in: "git@git.example.org:team/shop.git", want: Address{Scheme: "ssh", User: "git", Host: "git.example.org", Path: "team/shop.git"}},
		"Password":   {reason: "a password does not belong in an address", in: "https://agent:hunter2@git.example.org/shop.git", fails: true},
		"Broken":     {reason: "an address that cannot be parsed may hold one too", in: "https://agent:hunter2@[::1/shop.git", fails: true},
		"ShortPass":  {reason: "also in the short form", in: "agent:hunter2@git.example.org:shop.git", fails: true},
		"File":       {reason: "no local folders", in: "file:///srv/shop.git", fails: true},
		"Path":       {reason: "nor paths", in: "/srv/shop.git", fails: true},
		"Ext":        {reason: "nor anything that runs a program", in: "ext::sh -c id", fails: true},
		"Option":     {reason: "nor what looks like an option", in: "-oProxyCommand=id:shop", fails: true},
		"NoHost":     {reason: "a host is needed", in: "https:///shop.git", fails: true},
		"NoPath":     {reason: "and a path", in: "https://git.example.org/", fails: true},
		"Empty":      {reason: "nothing is nothing", in: "", fails: true},
		"UpperCase":  {reason: "schemes have no case", in: "HTTPS://git.example.org/shop", want: Address{Scheme: "https", Host: "git.example.org", Path: "/shop"}},
		"PathSpaces": {reason: "a path stays as it was escaped", in: "https://git.example.org/a%20b.git", want: Address{Scheme: "https", Host: "git.example.org", Path: "/a%20b.git"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ParseAddress(tc.in)
			if (err != nil) != tc.fails {
				t.Fatalf("%s: got %v", tc.reason, err)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds the password: %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	const ref = "refs/heads/main"
	cases := map[string]struct {
		unpack, refused string // no reason at all is "-"
		said            string
		update          Update
		want            error
	}{
		"Done":       {unpack: "ok"},
		"FetchFirst": {unpack: "ok", refused: "fetch first", want: ErrRace},
		"Lock":       {unpack: "ok", refused: "failed to update ref", want: ErrRace},
		"OldValue":   {unpack: "ok", refused: "incorrect old value provided", want: ErrRace},
		"IsAt":       {unpack: "ok", refused: "cannot lock ref 'refs/notes/x': is at 1 but expected 2", want: ErrRace},
		"Exists":     {unpack: "ok", refused: "reference already exists", want: ErrRace},
		"Behind":     {unpack: "ok", refused: "non-fast-forward", want: ErrRace},
		"Replaced":   {unpack: "ok", refused: "non-fast-forward", update: Update{Replaces: true}, want: ErrProtected},
		"Hook":       {unpack: "ok", refused: "pre-receive hook declined", want: ErrRefused},
		"HookDenies": {unpack: "ok", refused: "pre-receive hook declined", said: "access denied", want: ErrReadOnly},
		"GitHub": {unpack: "ok", refused: "protected branch hook declined",
			said: "error: GH006: Protected branch update failed for refs/heads/main.", want: ErrProtected},
		"GitHubRules": {unpack: "ok", refused: "push declined due to repository rule violations", want: ErrProtected},
		"GitLab": {unpack: "ok", refused: "pre-receive hook declined",
			said: "GitLab: You are not allowed to push code to protected branches on this project.", want: ErrProtected},
		"GitLabForce": {unpack: "ok", refused: "pre-receive hook declined",
			said: "GitLab: You are not allowed to force push code to a protected branch on this project.", want: ErrProtected},
		"Gitea": {unpack: "ok", refused: "pre-receive hook declined",
			said: "Gitea: Not allowed to push to protected branch main", want: ErrProtected},
		"GiteaForce": {unpack: "ok", refused: "pre-receive hook declined",
			said: "Gitea: branch main is protected from force push", want: ErrProtected},
		"Azure": {unpack: "ok", refused: "TF402455: Pushes to this branch are not permitted; you must use a pull request to update this branch.",
			want: ErrProtected},
		"Hidden":   {unpack: "ok", refused: "deny updating a hidden ref", want: ErrReadOnly},
		"Parents":  {unpack: "ok", refused: "missing necessary objects", want: ErrIncomplete},
		"Unpack":   {unpack: "index-pack abnormal exit", refused: "unpacker error", want: ErrIncomplete},
		"DiskFull": {unpack: "ok", refused: "disk quota exceeded", want: ErrRefused},
		"Nothing":  {unpack: "ok", refused: "-", want: ErrRefused},
	}
	for name, tc := range cases {
		r := report{unpack: tc.unpack}
		r.remark([]byte(tc.said))
		switch tc.refused {
		case "":
			r.done = map[string]bool{ref: true}
		case "-":
		default:
			r.refused = map[string]string{ref: tc.refused}
		}
		tc.update.Ref = ref
		err := r.verdict(tc.update)
		if !errors.Is(err, tc.want) || errors.Is(err, ErrProtected) && tc.want != ErrProtected { //nolint:errorlint // which one
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
}

func TestVerdictsOfAllOrNone(t *testing.T) {
	r := report{unpack: "ok", refused: map[string]string{"a": "atomic push failure", "b": "deletion prohibited"}}
	errs := r.verdicts([]Update{{Ref: "a"}, {Ref: "b"}, {Ref: "c"}})
	if !errors.Is(errs[0], ErrProtected) || !strings.Contains(errs[0].Error(), `"b"`) || !errors.Is(errs[1], ErrProtected) {
		t.Errorf("verdicts = %v", errs)
	}
	if !errors.Is(errs[2], ErrRefused) {
		t.Errorf("one that the server says nothing of: %v", errs[2])
	}
}

func TestClean(t *testing.T) {
	got := clean("remote: \x1b[31mbad\x1b[0m token\nremote:\r\n  tok-123 is wrong\n"+strings.Repeat("x", 1000), []string{"tok-123"})
	if strings.Contains(got, "tok-123") || strings.ContainsAny(got, "\n\x1b") || len(got) > maxServerText+3 {
		t.Errorf("clean = %q", got)
	}
}

// FuzzServer feeds what a hostile server may send to everything that reads answers.
func FuzzServer(f *testing.F) {
	f.Add([]byte("001e# service=git-upload-pack\n0000000eversion 2\n0000"))
	f.Add([]byte("003d1111111111111111111111111111111111111111 refs/heads/main\n0000"))
	f.Add([]byte("000eunpack ok\n0019ok refs/heads/main\n0000"))
	f.Add([]byte("000dpackfile\n0009\x01PACK0000"))
	f.Add([]byte("0004\x01" + "0005\x020001ffff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		all := func(string) bool { return true }
		g, err := readGreeting(newPackets(bytes.NewReader(b)), false, all)
		for _, ref := range g.refs {
			if !IsHash(ref.Hash) {
				t.Errorf("%q is no hash (%v)", ref.Hash, err)
			}
		}
		r := report{}
		if r.read(bytes.NewReader(b), true) == nil && r.verdict(Update{Ref: "refs/heads/main"}) == nil && !bytes.Contains(b, []byte("unpack ok")) {
			t.Error("a push was believed to be done")
		}
		for _, v2 := range []bool{true, false} {
			c := &Conn{remote: New(Config{}), hello: greeting{v2: v2}}
			in := newPackets(bytes.NewReader(b))
			if c.skipToPack(in) == nil {
				_, _ = io.Copy(io.Discard, &sideband{in: in, pending: in.rest()})
			}
		}
		_, _ = parseListed(string(b))
	})
}
