package gitsource_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

// ways are all the ways to talk to a server.
var ways = map[string]struct {
	old bool
	ssh bool
}{
	"HTTPVersion2": {}, "HTTPVersion0": {old: true}, "SSHVersion2": {ssh: true}, "SSHVersion0": {old: true, ssh: true},
}

func TestFetch(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t, func(c *gittest.Config) { c.Old = way.old })
			first := srv.Commit(t, "shop", gittest.Change{Files: files(300, "first")})
			srv.Git(t, "shop", "tag", "-a", "-m", "one", "v1", first)
			change := []func(*gitsource.Config){}
			if way.ssh {
				change = append(change, overSSH(srv, "shop"))
			}
			r := open(t, srv, "shop", change...)

			refs, err := r.Refs(t.Context(), "refs/")
			if err != nil {
				t.Fatal(err)
			}
			want := map[string]string{main: first, "refs/tags/v1": first}
			if diff := cmp.Diff(want, refs); diff != "" {
				t.Errorf("Refs (-want +got):\n%s", diff)
			}
			if got, err := r.DefaultBranch(t.Context()); err != nil || got != main {
				t.Errorf("DefaultBranch = %q, %v", got, err)
			}
			if diff := cmp.Diff(want, fetch(t, r, main, "refs/tags/*")); diff != "" {
				t.Errorf("Fetch (-want +got):\n%s", diff)
			}
			if got := content(t, tree(t, r, first), "dir00/file0000.yaml"); got != "first 0\n" {
				t.Errorf("content = %q", got)
			}

			second := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"new.yaml": "second"}})
			if diff := cmp.Diff(map[string]string{main: second}, fetch(t, r, main)); diff != "" {
				t.Errorf("Fetch (-want +got):\n%s", diff)
			}
			if got := content(t, tree(t, r, second), "new.yaml"); got != "second" {
				t.Errorf("content = %q", got)
			}

			rewritten := srv.Commit(t, "shop", gittest.Change{Parent: first, Files: map[string]string{"new.yaml": "rewritten"}})
			fetch(t, r, main)
			if got := content(t, tree(t, r, rewritten), "new.yaml"); got != "rewritten" {
				t.Errorf("content after a force-push = %q", got)
			}
			if yes, err := r.IsAncestor(t.Context(), second, rewritten); err != nil || yes {
				t.Errorf("IsAncestor of the rewritten commit = %v, %v", yes, err)
			}

			srv.Git(t, "shop", "update-ref", main, first)
			if diff := cmp.Diff(map[string]string{main: first}, fetch(t, r, main)); diff != "" {
				t.Errorf("Fetch after a push back (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFetchTakesOnlyWhatIsMissing(t *testing.T) {
	srv := gittest.New(t)
	srv.Commit(t, "shop", gittest.Change{Files: files(2000, strings.Repeat("text ", 20))})
	srv.Commit(t, "shop", gittest.Change{Branch: "other", Orphan: true, Files: files(2000, "other")})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	clone := srv.Requests()[gittest.Fetch].Out

	srv.ResetRequests()
	fetch(t, r, main)
	want := map[string]gittest.Count{gittest.List: {Requests: 1}}
	if diff := cmp.Diff(want, srv.Requests(), ignoreBytes); diff != "" {
		t.Errorf("requests with nothing new (-want +got):\n%s", diff)
	}
	if got := srv.Requests()[gittest.List].Out; got > 200 {
		t.Errorf("a poll cost %d bytes", got)
	}

	srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"dir00/file0000.yaml": "new"}})
	srv.ResetRequests()
	fetch(t, r, main)
	if got := srv.Requests()[gittest.Fetch].Out; got == 0 || got > clone/10 {
		t.Errorf("one changed file cost %d bytes, the clone %d", got, clone)
	}
}

var ignoreBytes = cmp.Transformer("requests", func(c gittest.Count) int64 { return c.Requests })

func TestLesson49_OtherReferencesCostAPollNothing(t *testing.T) {
	for name, ssh := range map[string]bool{"HTTP": false, "SSH": true} {
		t.Run(name, func(t *testing.T) {
			cost := map[int]map[string]gittest.Count{}
			for _, others := range []int{3, 3000} {
				srv := gittest.New(t)
				tip := srv.Commit(t, "shop", gittest.Change{Files: files(3, "text")})
				srv.AddRefs(t, "shop", pulls(others, tip))
				var change []func(*gitsource.Config)
				if ssh {
					change = append(change, overSSH(srv, "shop"))
				}
				r := open(t, srv, "shop", change...)
				fetch(t, r, main)
				srv.Settle()
				srv.ResetRequests()
				fetch(t, r, main)
				if _, err := r.Refs(t.Context(), main); err != nil {
					t.Fatal(err)
				}
				srv.Close() // waits until all is counted
				cost[others] = srv.Requests()
			}
			if diff := cmp.Diff(cost[3], cost[3000]); diff != "" {
				t.Errorf("a poll beside 3 and 3,000 others (-3 +3000):\n%s", diff)
			}
		})
	}
}

func TestFetchOfNothing(t *testing.T) {
	srv := gittest.New(t)
	if err := srv.Create("empty"); err != nil {
		t.Fatal(err)
	}
	r := open(t, srv, "empty")
	if got := fetch(t, r, main); len(got) != 0 {
		t.Errorf("Fetch of an empty repository = %v", got)
	}
	first := srv.Commit(t, "empty", gittest.Change{Files: files(1, "x")})
	if got := fetch(t, r, main)[main]; got != first {
		t.Errorf("Fetch = %q, want %q", got, first)
	}
	srv.Git(t, "empty", "update-ref", "-d", main)
	if got := fetch(t, r, main); len(got) != 0 {
		t.Errorf("Fetch of a deleted branch = %v", got)
	}
	if _, err := r.Fetch(t.Context(), "main"); err == nil {
		t.Error("Fetch of a short name: no error")
	}
	if _, err := r.Fetch(t.Context()); err == nil {
		t.Error("Fetch of no reference: no error")
	}
}

func TestFetchErrors(t *testing.T) {
	srv := gittest.New(t)
	srv.Commit(t, "shop", gittest.Change{Files: files(400, "text")})
	nobody := noListener(t)
	cases := map[string]struct {
		reason string
		change func(*gitsource.Config)
		fault  gittest.Fault
		want   error
	}{
		"WrongPassword": {
			reason: "a wrong password is not worth another try",
			change: func(c *gitsource.Config) { c.Credentials = userPassword("agent", "wrong-secret") },
			want:   gitsource.ErrAuth,
		},
		"NoPassword": {
			reason: "so is none",
			change: func(c *gitsource.Config) { c.Credentials = nil },
			want:   gitsource.ErrAuth,
		},
		"NoRepository": {
			reason: "a repository that is not there is said so",
			change: func(c *gitsource.Config) { c.URL = srv.URL("nothing") },
			want:   gitsource.ErrNotFound,
		},
		"NoRepositoryOverSSH": {
			reason: "over SSH the reason comes on another stream",
			change: overSSH(srv, "nothing"),
			want:   gitsource.ErrNotFound,
		},
		"UnknownKey": {
			reason: "a key that the server does not know",
			change: func(c *gitsource.Config) {
				c.URL, c.Credentials = srv.SSHURL("shop"), sshKey(gittest.New(t).ClientKey(), srv.KnownHosts())
			},
			want: gitsource.ErrAuth,
		},
		"UnknownHost": {
			reason: "a host that known_hosts does not name is not talked to",
			change: func(c *gitsource.Config) {
				c.URL, c.Credentials = srv.SSHURL("shop"), sshKey(srv.ClientKey(), gittest.New(t).KnownHosts())
			},
			want: gitsource.ErrAuth,
		},
		"OtherHostKey": {
			reason: "a host with another key than the one in known_hosts is an impostor",
			change: func(c *gitsource.Config) {
				other := strings.Fields(string(gittest.New(t).KnownHosts()))
				known := strings.Fields(string(srv.KnownHosts()))[0] + " " + other[1] + " " + other[2] + "\n"
				c.URL, c.Credentials = srv.SSHURL("shop"), sshKey(srv.ClientKey(), []byte(known))
			},
			want: gitsource.ErrAuth,
		},
		"NoKnownHosts": {
			reason: "without known_hosts there is no SSH",
			change: func(c *gitsource.Config) { c.URL, c.Credentials = srv.SSHURL("shop"), sshKey(srv.ClientKey(), nil) },
			want:   gitsource.ErrAuth,
		},
		"NobodyListens": {
			reason: "a connection that is refused is worth another try",
			change: func(c *gitsource.Config) { c.URL = "http://" + nobody + "/shop.git" },
			want:   gitsource.ErrUnavailable,
		},
		"Down":     {reason: "so is a 503", fault: gittest.Fault{Kind: gittest.Down}, want: gitsource.ErrUnavailable},
		"CutShort": {reason: "so is a pack that ends early", fault: gittest.Fault{Kind: gittest.DropFetch, Count: 1}, want: gitsource.ErrUnavailable},
		"CutShortOverSSH": {
			reason: "over SSH too",
			change: overSSH(srv, "shop"),
			fault:  gittest.Fault{Kind: gittest.DropFetch, Count: 1}, want: gitsource.ErrUnavailable,
		},
		"TooSlow": {
			reason: "a server that does not answer in time is unavailable",
			change: func(c *gitsource.Config) { c.Timeout = 50 * time.Millisecond },
			fault:  gittest.Fault{Kind: gittest.Slow, Delay: time.Minute}, want: gitsource.ErrUnavailable,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			change := []func(*gitsource.Config){}
			if tc.change != nil {
				change = append(change, tc.change)
			}
			r := open(t, srv, "shop", change...)
			if tc.fault.Kind != "" {
				if err := srv.Order(tc.fault); err != nil {
					t.Fatal(err)
				}
				defer srv.Lift()
			}
			_, err := r.Fetch(t.Context(), main)
			if !errors.Is(err, tc.want) {
				t.Fatalf("%s: got %v, want %v", tc.reason, err, tc.want)
			}
			for _, secret := range []string{gittest.Password, "wrong-secret", "PRIVATE KEY"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds a secret: %v", err)
				}
			}
			srv.Lift()
			if tc.change == nil { // nothing but the fault was wrong
				fetch(t, r, main)
			}
		})
	}
}

func TestFetchEndsWithItsContext(t *testing.T) {
	srv := gittest.New(t)
	srv.Commit(t, "shop", gittest.Change{Files: files(manyFiles, "text")})
	base, stalled := stalling(t, srv)
	r := open(t, srv, "shop", func(c *gitsource.Config) { c.URL = base + "/shop.git" })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-stalled; cancel() }()
	if _, err := r.Fetch(ctx, main); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestPauseInAPackEndsIt(t *testing.T) {
	srv := gittest.New(t)
	srv.Commit(t, "shop", gittest.Change{Files: files(manyFiles, "text")})
	base, _ := stalling(t, srv)
	r := open(t, srv, "shop", func(c *gitsource.Config) { c.URL, c.Timeout = base+"/shop.git", 300*time.Millisecond })
	if _, err := r.Fetch(t.Context(), main); !errors.Is(err, gitsource.ErrUnavailable) {
		t.Errorf("got %v, want %v", err, gitsource.ErrUnavailable)
	}
}

func TestLesson11_KilledInTheMiddleOfAClone(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(manyFiles, "text")})
	base, stalled := stalling(t, srv)
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "GITSOURCE_TEST_CLONE="+base, "GITSOURCE_TEST_DIR="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-stalled
	half := filepath.Join(dir, "*", "objects", "pack", "tmp_pack_*")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for look := time.NewTicker(time.Millisecond); len(glob(t, half)) == 0; <-look.C { // the bytes are on their way
		if len(ended) > 0 {
			t.Fatalf("the clone ended by itself: %v", <-ended)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the process was not killed: %v", err)
	}
	if len(glob(t, half)) == 0 {
		t.Fatal("it was not killed in the middle of a pack")
	}

	r := open(t, srv, "shop", in(dir))
	if left := glob(t, filepath.Join(dir, "*", "objects", "pack", "*")); len(left) != 0 {
		t.Errorf("left over: %v", left)
	}
	if _, err := r.Tree(tip); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("Tree before the fetch: %v", err)
	}
	fetch(t, r, main)
	if got := content(t, tree(t, r, tip), "dir00/file0000.yaml"); got != "text 0\n" {
		t.Errorf("content = %q", got)
	}
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestMirrorIsFoundAgain(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(20, "text")})
	srv.Git(t, "shop", "tag", "-a", "-m", "one", "v1", tip)
	dir := t.TempDir()
	r := open(t, srv, "shop", in(dir))
	fetch(t, r, main, "refs/tags/*")
	r.Close()
	srv.ResetRequests()
	r = open(t, srv, "shop", in(dir))
	if got := content(t, tree(t, r, tip), "dir00/file0000.yaml"); got != "text 0\n" {
		t.Errorf("content = %q", got)
	}
	fetch(t, r, main, "refs/tags/*")
	if got := srv.Requests()[gittest.Fetch].Requests; got != 0 {
		t.Errorf("the mirror was fetched %d times after it was opened again", got)
	}
	fsck := exec.Command("git", "-C", filepath.Join(dir, "mirror-000001"), "fsck", "--full", "--strict")
	if out, err := fsck.CombinedOutput(); err != nil {
		t.Errorf("git fsck: %v: %s", err, out)
	}
}

func TestDamagedMirrorIsReplaced(t *testing.T) {
	cases := map[string]struct {
		reason string
		damage func(t *testing.T, dir string)
		inUse  bool
	}{
		"ObjectWhileInUse": {
			reason: "an object that cannot be read is noticed when it is read",
			damage: damagePack, inUse: true,
		},
		"Index":      {reason: "an index that is cut short is noticed at the start", damage: cut("objects/pack/*.idx")},
		"References": {reason: "so are references that are none", damage: overwrite("packed-refs")},
		"Missing":    {reason: "so is a pack that is gone", damage: remove("objects/pack/*")},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			srv := gittest.New(t)
			tip := srv.Commit(t, "shop", gittest.Change{Files: files(300, "text")})
			dir := t.TempDir()
			r := open(t, srv, "shop", in(dir))
			fetch(t, r, main)
			if tc.inUse {
				tc.damage(t, dir)
				if _, err := tree(t, r, tip).ReadFile("dir00/file0000.yaml"); !errors.Is(err, gitsource.ErrBroken) {
					t.Errorf("%s: got %v, want %v", tc.reason, err, gitsource.ErrBroken)
				}
			} else {
				r.Close()
				tc.damage(t, dir)
				r = open(t, srv, "shop", in(dir))
			}
			if got := fetch(t, r, main)[main]; got != tip {
				t.Errorf("%s: Fetch = %q, want %q", tc.reason, got, tip)
			}
			if got := content(t, tree(t, r, tip), "dir00/file0000.yaml"); got != "text 0\n" {
				t.Errorf("%s: content = %q", tc.reason, got)
			}
		})
	}
}

func find(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "mirror-000001", pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("nothing to damage at %q: %v", pattern, err)
	}
	return found
}

// damagePack overwrites everything but the head, in place, as a failing disk would.
func damagePack(t *testing.T, dir string) {
	name := find(t, dir, "objects/pack/*.pack")[0]
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, info.Size()-12), 12); err != nil {
		t.Fatal(err)
	}
}

func cut(pattern string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, name := range find(t, dir, pattern) {
			if err := os.Truncate(name, 100); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func overwrite(pattern string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, name := range find(t, dir, pattern) {
			if err := os.WriteFile(name, []byte("nonsense\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func remove(pattern string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		for _, name := range find(t, dir, pattern) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestReadersKeepTheOldMirror(t *testing.T) {
	srv := gittest.New(t)
	first := srv.Commit(t, "shop", gittest.Change{Files: files(300, "first")})
	dir := t.TempDir()
	r := open(t, srv, "shop", in(dir), func(c *gitsource.Config) { c.MaxPacks = 1 })
	fetch(t, r, main)
	old := tree(t, r, first)
	// Rewritten history, so that nothing of the old one is in a new clone; each is large enough for a pack of its own.
	for i := range 4 {
		srv.Commit(t, "shop", gittest.Change{Orphan: true, Files: files(300, fmt.Sprint("round ", i))})
		fetch(t, r, main)
	}
	if _, err := os.Stat(filepath.Join(dir, "mirror-000001")); err != nil {
		t.Fatalf("the mirror is gone while it is read: %v", err)
	}
	mirrors, _ := filepath.Glob(filepath.Join(dir, "mirror-*"))
	if len(mirrors) < 2 {
		t.Fatalf("the mirror was not cloned anew: %v", mirrors)
	}
	if got := content(t, old, "dir16/file0033.yaml"); got != "first 33\n" {
		t.Errorf("content = %q", got)
	}
	if _, err := r.Tree(first); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("the overgrown mirror was not replaced: %v", err)
	}
	packs, _ := filepath.Glob(filepath.Join(mirrors[len(mirrors)-1], "objects/pack/*.pack"))
	if len(packs) > 2 {
		t.Errorf("%d packs have gathered", len(packs))
	}
}

func TestReadersSeeWholeRevisionsWhileFetchesRun(t *testing.T) {
	srv := gittest.New(t)
	tip := srv.Commit(t, "shop", gittest.Change{Files: files(150, "0")})
	r := open(t, srv, "shop", func(c *gitsource.Config) { c.MaxPacks = 2 })
	fetch(t, r, main)
	var latest sync.Map
	latest.Store("tip", tip)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				v, _ := latest.Load("tip")
				tr, err := r.Tree(v.(string))
				if err != nil {
					t.Error(err)
					return
				}
				a, errA := tr.ReadFile("dir00/file0000.yaml")
				b, errB := tr.ReadFile("dir13/file0149.yaml")
				if errA != nil || errB != nil || strings.Fields(string(a))[0] != strings.Fields(string(b))[0] {
					t.Errorf("a revision of two halves: %q %v, %q %v", a, errA, b, errB)
					return
				}
			}
		})
	}
	for i := 1; i < 9; i++ {
		srv.Commit(t, "shop", gittest.Change{Files: files(150, fmt.Sprint(i))})
		latest.Store("tip", fetch(t, r, main)[main])
	}
	close(done)
	readers.Wait()
}
