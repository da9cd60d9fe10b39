package gitsource_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

func TestPublishIsRefused(t *testing.T) {
	const protects = `while read old new ref; do case $ref in refs/heads/*) echo "GitLab: You are not allowed to push code to protected branches on this project." >&2; exit 1;; esac; done`
	cases := map[string]struct {
		reason string
		hook   string
		config [2]string
		ssh    bool
		user   string
		old    bool // the branch is there and is to be replaced
		want   error
		not    error
		text   string
	}{
		"Protected":     {reason: "the text says what to do", hook: protects, want: gitsource.ErrProtected, text: "let the agent's user push"},
		"ProtectedSSH":  {reason: "over SSH the same", hook: protects, ssh: true, want: gitsource.ErrProtected, text: "let the agent's user push"},
		"Hook":          {reason: "a hook's own words are passed on", hook: "echo no ticket in the message >&2; exit 1", want: gitsource.ErrRefused, not: gitsource.ErrProtected, text: "no ticket in the message"},
		"NotReplaced":   {reason: "no race, or it would be tried for ever", config: [2]string{"receive.denyNonFastForwards", "true"}, old: true, want: gitsource.ErrProtected, not: gitsource.ErrRace, text: "replace"},
		"ReadOnly":      {reason: "the user may read only", user: "guest", want: gitsource.ErrReadOnly, not: gitsource.ErrRefused},
		"WrongPassword": {reason: "nobody we know", user: "nobody", want: gitsource.ErrAuth},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t)
			base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
			old := ""
			if tc.old {
				old = srv.Commit(t, "shop", gittest.Change{Branch: "sluice/promote/shop/production", Parent: base, Files: files(1, "y")})
			}
			var change []func(*gitsource.Config)
			if tc.ssh {
				change = append(change, overSSH(srv, "shop"))
			}
			if tc.user != "" {
				change = append(change, func(c *gitsource.Config) { c.Credentials = thenUser(tc.user) })
			}
			r := open(t, srv, "shop", change...)
			fetch(t, r, main)
			if tc.hook != "" {
				hook(t, srv, tc.hook)
			}
			if tc.config[0] != "" {
				srv.Git(t, "shop", "config", tc.config[0], tc.config[1])
			}
			_, err := r.Publish(t.Context(), branchOnto(old, base, "revision: 1\n"))
			if !errors.Is(err, tc.want) || tc.not != nil && errors.Is(err, tc.not) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("%s: %v, want %v and %q", tc.reason, err, tc.want, tc.text)
			}
			if n := srv.Requests()[gittest.Push].Requests; n > 1 {
				t.Errorf("%s: %d pushes", tc.reason, n)
			}
		})
	}
}

// thenUser are the agent's credentials for the first connection, and those of another user from then on.
func thenUser(user string) func() (gitsource.Credentials, error) {
	calls := 0
	return func() (gitsource.Credentials, error) {
		if calls++; calls == 1 {
			return userPassword("agent", gittest.Password)()
		}
		return userPassword(user, gittest.Password)()
	}
}

func TestRemoveIsRefused(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
	srv.Git(t, "shop", "update-ref", promote, base)
	srv.Git(t, "shop", "config", "receive.denyDeletes", "true")
	err := open(t, srv, "shop").Remove(t.Context(), gitsource.Removal{Ref: promote, Old: base})
	if !errors.Is(err, gitsource.ErrProtected) {
		t.Errorf("Remove = %v", err)
	}
}

func TestBranchNamesThatClash(t *testing.T) {
	cases := map[string]struct{ there, text string }{
		"Above": {"refs/heads/sluice", "refs/heads/sluice exists"}, "Between": {"refs/heads/sluice/promote/shop", "refs/heads/sluice/promote/shop exists"},
		"Below": {promote + "/x/y", promote + "/x/y exists"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t)
			base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
			srv.Git(t, "shop", "update-ref", tc.there, base)
			r := open(t, srv, "shop")
			fetch(t, r, main)
			_, err := r.Publish(t.Context(), branchOnto("", base, "x"))
			if !errors.Is(err, gitsource.ErrClash) || !strings.Contains(err.Error(), tc.text) {
				t.Errorf("Publish = %v", err)
			}
		})
	}
}

func TestLesson11_PushWhoseAnswerIsLost(t *testing.T) {
	for name, tc := range map[string]struct {
		fault gittest.Fault
		ssh   bool
		want  error
	}{
		"AnswerLost":     {fault: gittest.Fault{Kind: gittest.DropPush, Count: 1}},
		"RequestLost":    {fault: gittest.Fault{Kind: gittest.DropPushBefore, Count: 1}},
		"AnswerLostSSH":  {fault: gittest.Fault{Kind: gittest.DropPush, Count: 1}, ssh: true},
		"RequestLostSSH": {fault: gittest.Fault{Kind: gittest.DropPushBefore, Count: 1}, ssh: true},
		"RequestsLost":   {fault: gittest.Fault{Kind: gittest.DropPushBefore}, want: gitsource.ErrUnavailable},
		"Down":           {fault: gittest.Fault{Kind: gittest.Down}, want: gitsource.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t)
			base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
			change := []func(*gitsource.Config){writesMain}
			if tc.ssh {
				change = append(change, overSSH(srv, "shop"))
			}
			r := open(t, srv, "shop", change...)
			fetch(t, r, main)
			if err := srv.Order(tc.fault); err != nil {
				t.Fatal(err)
			}
			got, err := r.AppendCommit(t.Context(), changeTo(base, "revision: 1\n"))
			if !errors.Is(err, tc.want) {
				t.Fatalf("AppendCommit = %+v, %v, want %v", got, err, tc.want)
			}
			want := base
			if tc.want == nil {
				want = got.Commit
			}
			if tip := srv.Git(t, "shop", "rev-parse", main); tip != want || tc.want == nil && got.Result != gitsource.Pushed {
				t.Errorf("main is at %s, AppendCommit said %+v", tip, got)
			}
		})
	}
}

func TestPushOptions(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t, func(c *gittest.Config) { c.Old = way.old })
			base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
			var change []func(*gitsource.Config)
			if way.ssh {
				change = append(change, overSSH(srv, "shop"))
			}
			hook(t, srv, `echo "$GIT_PUSH_OPTION_COUNT $GIT_PUSH_OPTION_0 $GIT_PUSH_OPTION_1" >options`)
			r := open(t, srv, "shop", change...)
			fetch(t, r, main)
			options := []string{"merge_request.create", "merge_request.title=Promote shop"}
			got, err := r.Publish(t.Context(), branchOnto("", base, "1"), options...)
			if err != nil || got.Options {
				t.Fatalf("a server without options: %+v, %v", got, err)
			}
			srv.Git(t, "shop", "config", "receive.advertisePushOptions", "true")
			r = open(t, srv, "shop", change...)
			fetch(t, r, main)
			if got, err = r.Publish(t.Context(), branchOnto(got.Commit, base, "2"), options...); err != nil || !got.Options {
				t.Fatalf("a server with options: %+v, %v", got, err)
			}
			seen, err := os.ReadFile(filepath.Join(srv.Path("shop"), "options"))
			if err != nil || string(seen) != "2 merge_request.create merge_request.title=Promote shop\n" {
				t.Errorf("the server saw %q, %v", seen, err)
			}
			for _, bad := range []string{"", "a\nb", "a\x00b"} {
				if _, err := r.Publish(t.Context(), branchOnto(got.Commit, base, "3"), bad); err == nil {
					t.Errorf("option %q was sent", bad)
				}
			}
		})
	}
}

func TestSeveralBranchesInOnePush(t *testing.T) {
	for name, tc := range map[string]struct {
		atomic bool
		cannot bool // the server has no atomic pushes
		done   int  // of the three that could be
	}{
		"EachForItself": {done: 3}, "AllOrNone": {atomic: true}, "ServerCannot": {atomic: true, cannot: true, done: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := gittest.New(t)
			base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
			if tc.cannot {
				srv.Git(t, "shop", "config", "receive.advertiseAtomic", "false")
			}
			gone := gitsource.BranchPrefix + "revert/shop/staging"
			srv.Git(t, "shop", "update-ref", gone, base)
			moved := srv.Commit(t, "shop", gittest.Change{Branch: "sluice/promote/shop/production", Parent: base, Files: files(1, "y")})
			r := open(t, srv, "shop", writesMain)
			fetch(t, r, main)
			test := branchOnto("", base, "revision: 1\n")
			test.Ref = gitsource.BranchPrefix + "promote/shop/test"
			srv.ResetRequests()
			all, err := r.Push(t.Context(), gitsource.Push{Atomic: tc.atomic, Moves: []gitsource.Move{
				test, branchOnto(base, base, "revision: 2\n"), gitsource.Removal{Ref: gone, Old: base}, changeTo(base, "revision: 3\n"),
			}})
			if len(all) != 4 || !errors.Is(err, gitsource.ErrRace) || !errors.Is(all[1].Err, gitsource.ErrRace) {
				t.Fatalf("Push = %+v, %v", all, err)
			}
			done := 0
			for _, w := range all {
				if w.Err == nil {
					done++
				}
			}
			if done != tc.done || srv.Git(t, "shop", "rev-parse", promote) != moved {
				t.Errorf("%d done: %+v", done, all)
			}
			kept := gone // where nothing is done; otherwise the other one is made and this one removed
			if tc.done > 0 {
				kept = test.Ref
			}
			refs := strings.Fields(srv.Git(t, "shop", "for-each-ref", "--format=%(refname)", "refs/heads/sluice"))
			if diff := cmp.Diff([]string{promote, kept}, refs, cmpopts.SortSlices(strings.Compare)); diff != "" {
				t.Errorf("branches (-want +got):\n%s", diff)
			}
			if tip := srv.Git(t, "shop", "rev-parse", main); (tip == base) != (tc.done == 0) {
				t.Errorf("main is at %s", tip)
			}
			if n := srv.Requests()[gittest.Push].Requests; n != 1 {
				t.Errorf("%d pushes", n)
			}
		})
	}
}

func TestHookThatRefusesOneBranchOfSeveral(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "x")})
	hook(t, srv, `while read old new ref; do if [ $ref = refs/heads/main ]; then echo "Not allowed to push to protected branch main" >&2; exit 1; fi; done`)
	r := open(t, srv, "shop", writesMain)
	fetch(t, r, main)
	test := branchOnto("", base, "revision: 1\n")
	test.Ref = gitsource.BranchPrefix + "promote/shop/test"
	moves := []gitsource.Move{branchOnto("", base, "revision: 2\n"), changeTo(base, "revision: 3\n"), test}
	all, err := r.Push(t.Context(), gitsource.Push{Moves: moves, Atomic: true})
	if len(all) != 3 || !errors.Is(err, gitsource.ErrProtected) || !errors.Is(all[0].Err, gitsource.ErrProtected) || !errors.Is(all[2].Err, gitsource.ErrProtected) {
		t.Errorf("all or none: %+v", all)
	}
	all, err = r.Push(t.Context(), gitsource.Push{Moves: moves})
	if len(all) != 3 || !errors.Is(err, gitsource.ErrProtected) || !errors.Is(all[1].Err, gitsource.ErrProtected) {
		t.Fatalf("Push = %+v, %v", all, err)
	}
	for _, w := range []gitsource.Written{all[0], all[2]} {
		if w.Err != nil || w.Result != gitsource.Pushed || srv.Git(t, "shop", "rev-parse", w.Ref) != w.Commit {
			t.Errorf("a branch that nothing is against: %+v", w)
		}
	}
	if tip := srv.Git(t, "shop", "rev-parse", main); tip != base {
		t.Errorf("main is at %s", tip)
	}
}

func TestBaseThatTheServerDropped(t *testing.T) {
	srv := gittest.New(t)
	base := srv.Commit(t, "shop", gittest.Change{Files: files(1, "base")})
	gone := srv.Commit(t, "shop", gittest.Change{Files: files(1, "gone")})
	r := open(t, srv, "shop")
	fetch(t, r, main)
	srv.Git(t, "shop", "update-ref", main, base)
	srv.Git(t, "shop", "gc", "--prune=now", "--quiet")
	if _, err := r.Publish(t.Context(), branchOnto("", gone, "x")); !errors.Is(err, gitsource.ErrRace) {
		t.Errorf("onto a commit that is gone: %v", err)
	}
	if _, err := r.Publish(t.Context(), branchOnto("", strings.Repeat("1", 40), "x")); !errors.Is(err, gitsource.ErrNotFound) {
		t.Errorf("onto a commit that never was: %v", err)
	}
}
