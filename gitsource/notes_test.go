package gitsource_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

const notes = "refs/notes/sluice/production"

func appendNotes(t testing.TB, r *gitsource.Repository, add map[string][]string, keep ...string) string {
	t.Helper()
	commit, err := r.AppendNotes(t.Context(), notes, add, keep)
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func readNotes(t testing.TB, r *gitsource.Repository) map[string]string {
	t.Helper()
	fetch(t, r, notes)
	found, err := r.ReadNotes(t.Context(), notes)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for rev, b := range found {
		out[rev] = string(b)
	}
	return out
}

func TestAppendNotes(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t, func(c *gittest.Config) { c.Old = way.old })
			a := srv.Commit(t, "shop", gittest.Change{Files: files(3, "a")})
			b := srv.Commit(t, "shop", gittest.Change{Files: files(3, "b")})
			var change []func(*gitsource.Config)
			if way.ssh {
				change = append(change, overSSH(srv, "shop"))
			}
			r := open(t, srv, "shop", change...)
			fetch(t, r, main)

			first := appendNotes(t, r, map[string][]string{a: {"one", "two"}, b: {"three"}})
			if got := srv.Git(t, "shop", "rev-parse", notes); got != first {
				t.Errorf("the server has %q, AppendNotes said %q", got, first)
			}
			second := appendNotes(t, r, map[string][]string{a: {"two", "four", "four"}})
			want := map[string]string{a: "one\ntwo\nfour\n", b: "three\n"}
			if diff := cmp.Diff(want, readNotes(t, r)); diff != "" {
				t.Errorf("ReadNotes (-want +got):\n%s", diff)
			}
			if again := appendNotes(t, r, map[string][]string{a: {"one", "four"}, b: {}}); again != second {
				t.Errorf("nothing new made commit %q after %q", again, second)
			}
			if got := srv.Git(t, "shop", "log", "-1", "--format=%N", "--notes="+notes, a); strings.TrimSpace(got) != "one\ntwo\nfour" {
				t.Errorf("git log shows %q", got)
			}
			if diff := cmp.Diff(want, readNotes(t, open(t, srv, "shop", change...))); diff != "" {
				t.Errorf("ReadNotes of another mirror (-want +got):\n%s", diff)
			}
			some, err := r.NotesOn(t.Context(), notes, b, strings.Repeat("1", 40))
			if err != nil || len(some) != 1 || string(some[b]) != "three\n" {
				t.Errorf("NotesOn = %q, %v", some, err)
			}
			srv.Git(t, "shop", "fsck", "--strict")
		})
	}
}

func TestLesson24_AgentsThatWriteAtOnce(t *testing.T) {
	srv := gittest.New(t)
	var revs []string
	for i := range 3 {
		revs = append(revs, srv.Commit(t, "shop", gittest.Change{Files: files(1, fmt.Sprint(i))}))
	}
	const agents, each = 6, 4
	var all sync.WaitGroup
	for agent := range agents {
		r := open(t, srv, "shop")
		all.Go(func() {
			for i := range each {
				add := map[string][]string{revs[i%3]: {fmt.Sprintf("agent %d line %d", agent, i)}}
				if _, err := r.AppendNotes(t.Context(), notes, add, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	lines := map[string]int{}
	for _, text := range readNotes(t, open(t, srv, "shop")) {
		for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
			lines[line]++
		}
	}
	for agent := range agents {
		for i := range each {
			if n := lines[fmt.Sprintf("agent %d line %d", agent, i)]; n != 1 {
				t.Errorf("agent %d line %d is there %d times", agent, i, n)
			}
		}
	}
}

func TestNotesOfOthersKeepTheirPlace(t *testing.T) {
	srv := gittest.New(t)
	a := srv.Commit(t, "shop", gittest.Change{Files: files(1, "a")})
	b := srv.Commit(t, "shop", gittest.Change{Files: files(1, "b")})
	c := srv.Commit(t, "shop", gittest.Change{Files: files(1, "c")})
	stream := fmt.Sprintf("commit %s\ncommitter T <t@example.org> 1700000000 +0000\ndata 1\nx\n", notes)
	for path, text := range map[string]string{
		a[:2] + "/" + a[2:]:                    "fanned\n",
		b[:2] + "/" + b[2:4] + "/" + b[4:]:     "twice\n",
		b:                                      "flat",
		"README":                               "not a note",
		"ff/" + strings.Repeat("e", 38):        "another\n",
		"ff/" + strings.Repeat("f", 38) + "xx": "no hash",
	} {
		stream += fmt.Sprintf("M 100644 inline %s\ndata %d\n%s\n", path, len(text), text)
	}
	srv.Import(t, "shop", []byte(stream))
	r := open(t, srv, "shop")
	appendNotes(t, r, map[string][]string{a: {"fanned", "more"}, b: {"twice", "third"}, c: {"new"}})
	want := map[string]string{
		a: "fanned\nmore\n", b: "flat\nthird\ntwice\n", c: "new\n", "ff" + strings.Repeat("e", 38): "another\n",
	}
	got := readNotes(t, r)
	if lines := strings.Split(strings.TrimSpace(got[b]), "\n"); len(lines) != 3 {
		t.Errorf("notes on %s: %q", b, lines)
	}
	got[b] = want[b]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ReadNotes (-want +got):\n%s", diff)
	}
	paths := srv.Git(t, "shop", "ls-tree", "-r", "--name-only", notes)
	for _, path := range []string{"README", a[:2] + "/" + a[2:], c[:2] + "/" + c[2:]} {
		if !strings.Contains(paths, path) {
			t.Errorf("%q is not in\n%s", path, paths)
		}
	}
	srv.Git(t, "shop", "fsck", "--strict")
}

func TestAppendNotesUnderFaults(t *testing.T) {
	cases := map[string]struct {
		reason  string
		faults  []gittest.Fault
		change  func(*gittest.Server) func(*gitsource.Config)
		want    error
		written bool
	}{
		"AnswerLost": {
			reason:  "a push that arrived is not repeated, one line is one line",
			faults:  []gittest.Fault{{Kind: gittest.DropPush, Count: 1}},
			written: true,
		},
		"RequestLost": {
			reason:  "a push that did not arrive is sent again",
			faults:  []gittest.Fault{{Kind: gittest.DropPushBefore, Count: 1}},
			written: true,
		},
		"RequestsLost": {
			reason: "but not for ever",
			faults: []gittest.Fault{{Kind: gittest.DropPushBefore}},
			want:   gitsource.ErrUnavailable,
		},
		"Refused": {
			reason: "a hook's no is final, and its words are passed on",
			faults: []gittest.Fault{{Kind: gittest.RefusePush}},
			want:   gitsource.ErrRefused,
		},
		"Down": {
			reason: "a server that is down is tried later",
			faults: []gittest.Fault{{Kind: gittest.Down}},
			want:   gitsource.ErrUnavailable,
		},
		"ReadOnlyUser": {
			reason: "a user without the right to write is told apart from a wrong password",
			change: func(*gittest.Server) func(*gitsource.Config) {
				return func(c *gitsource.Config) { c.Credentials = userPassword("guest", gittest.Password) }
			},
			want: gitsource.ErrReadOnly,
		},
		"ReadOnlyKey": {
			reason: "so is a key",
			change: func(s *gittest.Server) func(*gitsource.Config) {
				return func(c *gitsource.Config) {
					c.URL, c.Credentials = s.SSHURL("shop"), sshKey(s.ReadOnlyKey(), s.KnownHosts())
				}
			},
			want: gitsource.ErrReadOnly,
		},
		"AnswerLostOverSSH": {
			reason:  "over SSH the same",
			faults:  []gittest.Fault{{Kind: gittest.DropPush, Count: 1}},
			change:  func(s *gittest.Server) func(*gitsource.Config) { return overSSH(s, "shop") },
			written: true,
		},
		"RequestLostOverSSH": {
			reason:  "over SSH the same",
			faults:  []gittest.Fault{{Kind: gittest.DropPushBefore, Count: 1}},
			change:  func(s *gittest.Server) func(*gitsource.Config) { return overSSH(s, "shop") },
			written: true,
		},
		"RefusedOverSSH": {
			reason: "over SSH the same",
			faults: []gittest.Fault{{Kind: gittest.RefusePush}},
			change: func(s *gittest.Server) func(*gitsource.Config) { return overSSH(s, "shop") },
			want:   gitsource.ErrRefused,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t)
			rev := srv.Commit(t, "shop", gittest.Change{Files: files(3, "text")})
			var change []func(*gitsource.Config)
			if tc.change != nil {
				change = append(change, tc.change(srv))
			}
			r := open(t, srv, "shop", change...)
			fetch(t, r, main)
			for _, f := range tc.faults {
				if err := srv.Order(f); err != nil {
					t.Fatal(err)
				}
			}
			commit, err := r.AppendNotes(t.Context(), notes, map[string][]string{rev: {"line"}}, nil)
			if !errors.Is(err, tc.want) {
				t.Fatalf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			if errors.Is(tc.want, gitsource.ErrRefused) && !strings.Contains(err.Error(), "refused by order") {
				t.Errorf("%s: got %v", tc.reason, err)
			}
			srv.Lift()
			want := map[string]string{}
			if tc.written {
				want[rev] = "line\n"
				if got := srv.Git(t, "shop", "rev-list", "--count", notes); got != "1" {
					t.Errorf("%s: %s commits", tc.reason, got)
				}
				if got := srv.Git(t, "shop", "rev-parse", notes); got != commit {
					t.Errorf("%s: server has %q, AppendNotes said %q", tc.reason, got, commit)
				}
			}
			if diff := cmp.Diff(want, readNotes(t, r)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
}

func TestOnlyNotesOfOursAreWritten(t *testing.T) {
	srv := gittest.New(t)
	rev := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
	r := open(t, srv, "shop")
	for _, ref := range []string{
		"", main, "refs/heads/sluice/x", "refs/notes/commits", "refs/notes/sluice", "refs/notes/sluice/",
		"refs/notes/sluice/../../heads/main", "refs/notes/sluice/a..b", "refs/notes/sluice/a b", "refs/notes/sluice/a\nb",
		"refs/notes/sluice/.hidden", "refs/notes/sluice/a.lock", "refs/notes/sluice/a\x00report-status", "refs/notes/sluice//a",
	} {
		_, err := r.AppendNotes(t.Context(), ref, map[string][]string{rev: {"x"}}, nil)
		if !errors.Is(err, gitsource.ErrForbiddenRef) {
			t.Errorf("AppendNotes to %q: %v", ref, err)
		}
	}
	for name, add := range map[string]map[string][]string{
		"short revision": {rev[:10]: {"x"}}, "line break": {rev: {"a\nb"}}, "empty line": {rev: {""}},
	} {
		if _, err := r.AppendNotes(t.Context(), notes, add, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := srv.Requests()[gittest.Push].Requests; got != 0 {
		t.Errorf("%d pushes", got)
	}
}

func TestLesson26_KeptRevisionsOutliveARewrittenBranch(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(3, "base")})
	proven := srv.Commit(t, "shop", gittest.Change{Files: files(3, "proven")})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	first := appendNotes(t, r, map[string][]string{proven: {"proven"}}, proven, strings.Repeat("1", 40))
	if got := srv.Git(t, "shop", "rev-parse", first+"^@"); got != proven {
		t.Errorf("parents of the notes: %q", got)
	}
	second := appendNotes(t, r, map[string][]string{proven: {"again"}}, proven)
	if got := srv.Git(t, "shop", "rev-parse", second+"^@"); got != first {
		t.Errorf("a revision that is kept was kept again: %q", got)
	}
	if again := appendNotes(t, r, map[string][]string{proven: {"again"}}, proven); again != second {
		t.Errorf("nothing new made a commit")
	}

	srv.Commit(t, "shop", gittest.Change{Parent: base, Files: files(3, "rewritten")})
	srv.Git(t, "shop", "gc", "--prune=now", "--quiet")
	other := open(t, srv, "shop")
	fetch(t, other, main, notes)
	if got := content(t, tree(t, other, proven), "dir00/file0000.yaml"); got != "proven 0\n" {
		t.Errorf("content of the kept revision = %q", got)
	}
}

func TestKeepOfARevisionThatTheServerDropped(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(3, "base")})
	gone := srv.Commit(t, "shop", gittest.Change{Files: files(3, "gone")})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	srv.Git(t, "shop", "update-ref", main, base)
	srv.Git(t, "shop", "gc", "--prune=now", "--quiet")
	commit := appendNotes(t, r, map[string][]string{gone: {"line"}}, gone)
	if got := srv.Git(t, "shop", "rev-parse", commit+"^@"); got != "" {
		t.Errorf("parents of the notes: %q", got)
	}
	if diff := cmp.Diff(map[string]string{gone: "line\n"}, readNotes(t, r)); diff != "" {
		t.Errorf("ReadNotes (-want +got):\n%s", diff)
	}
}

func TestNotesWereRewrittenByOthers(t *testing.T) {
	srv := gittest.New(t)
	rev := srv.Commit(t, "shop", gittest.Change{Files: files(3, "text")})
	r := open(t, srv, "shop")
	appendNotes(t, r, map[string][]string{rev: {"one"}})
	srv.Git(t, "shop", "update-ref", "-d", notes)
	appendNotes(t, r, map[string][]string{rev: {"two"}})
	if diff := cmp.Diff(map[string]string{rev: "two\n"}, readNotes(t, r)); diff != "" {
		t.Errorf("after the notes were deleted (-want +got):\n%s", diff)
	}
	srv.Git(t, "shop", "notes", "--ref", notes, "add", "-f", "-m", "forged", rev)
	appendNotes(t, r, map[string][]string{rev: {"three"}})
	if diff := cmp.Diff(map[string]string{rev: "forged\nthree\n"}, readNotes(t, r)); diff != "" {
		t.Errorf("after a person wrote them (-want +got):\n%s", diff)
	}
}

// TestAppendNotesSendsLittle guards against walking or sending the history, which go-git's push does.
func TestAppendNotesSendsLittle(t *testing.T) {
	srv := gittest.New(t)
	rev := srv.Commit(t, "shop", gittest.Change{Files: files(2000, "text")})
	srv.AddRefs(t, "shop", pulls(2000, rev))
	r := open(t, srv, "shop")
	fetch(t, r, main)
	appendNotes(t, r, map[string][]string{rev: {"first"}})
	srv.ResetRequests()
	appendNotes(t, r, map[string][]string{rev: {"second"}})
	got := srv.Requests()
	want := map[string]gittest.Count{gittest.List: {Requests: 1}, gittest.Push: {Requests: 1}}
	if diff := cmp.Diff(want, got, ignoreBytes); diff != "" {
		t.Errorf("requests of one note (-want +got):\n%s", diff)
	}
	if got[gittest.Push].In > 2000 || got[gittest.Push].Out > 500 || got[gittest.List].Out > 500 {
		t.Errorf("one note cost %+v", got)
	}
}
