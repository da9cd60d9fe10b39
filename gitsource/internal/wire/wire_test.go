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
	cases := map[string]struct {
		report report
		want   error
	}{
		"Done":       {report{unpack: "ok", done: true}, nil},
		"FetchFirst": {report{unpack: "ok", refused: "fetch first"}, ErrRace},
		"Lock":       {report{unpack: "ok", refused: "failed to update ref"}, ErrRace},
		"OldValue":   {report{unpack: "ok", refused: "incorrect old value provided"}, ErrRace},
		"IsAt":       {report{unpack: "ok", refused: "cannot lock ref 'refs/notes/x': is at 1 but expected 2"}, ErrRace},
		"Exists":     {report{unpack: "ok", refused: "reference already exists"}, ErrRace},
		"Hook":       {report{unpack: "ok", refused: "pre-receive hook declined"}, ErrRefused},
		"Hidden":     {report{unpack: "ok", refused: "deny updating a hidden ref"}, ErrReadOnly},
		"Parents":    {report{unpack: "ok", refused: "missing necessary objects"}, ErrIncomplete},
		"Unpack":     {report{unpack: "index-pack abnormal exit", refused: "unpacker error"}, ErrIncomplete},
		"DiskFull":   {report{unpack: "ok", refused: "disk quota exceeded"}, ErrRefused},
		"Nothing":    {report{unpack: "ok"}, ErrRefused},
	}
	for name, tc := range cases {
		if err := tc.report.verdict(); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
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
		if r.read(bytes.NewReader(b), true) == nil && r.verdict() == nil && !bytes.Contains(b, []byte("unpack ok")) {
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
