package gitsource_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

// history makes a branch of n commits, each of which changes one of 300 files.
func history(b *testing.B, srv *gittest.Server, repo string, n int) string {
	b.Helper()
	var s bytes.Buffer
	for i := range n {
		fmt.Fprintf(&s, "commit %s\ncommitter T <t@example.org> %d +0000\ndata 6\nchange\n", main, 1_600_000_000+i*60)
		text := fmt.Sprintf("value: %d\n", i)
		fmt.Fprintf(&s, "M 100644 inline apps/app%02d/values%02d.yaml\ndata %d\n%s\n", i%30, i%10, len(text), text)
	}
	srv.Import(b, repo, s.Bytes())
	return srv.Git(b, repo, "rev-parse", main)
}

// BenchmarkAppendNotes adds a note of one line in a repository of 20,000 commits. Wanted: 100 ms and 20 MiB at most.
func BenchmarkAppendNotes(b *testing.B) {
	for name, keep := range map[string]bool{"Plain": false, "Keeping": true} {
		b.Run(name, func(b *testing.B) {
			srv := gittest.New(b)
			tip := history(b, srv, "big", 20_000)
			r := open(b, srv, "big")
			fetch(b, r, main)
			var kept []string
			if keep {
				kept = []string{tip}
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				add := map[string][]string{tip: {fmt.Sprintf(`{"v":1,"seq":%d,"phase":"Healthy"}`, i)}}
				if _, err := r.AppendNotes(b.Context(), notes, add, kept); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRefs polls one branch beside many other references.
func BenchmarkRefs(b *testing.B) {
	for _, others := range []int{3, 50_000} {
		b.Run(fmt.Sprint(others), func(b *testing.B) {
			srv := gittest.New(b)
			tip := srv.Commit(b, "shop", gittest.Change{Files: files(3, "x")})
			srv.AddRefs(b, "shop", pulls(others, tip))
			r := open(b, srv, "shop")
			fetch(b, r, main)
			srv.ResetRequests()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Refs(b.Context(), main); err != nil {
					b.Fatal(err)
				}
			}
			n := srv.Requests()[gittest.List]
			b.ReportMetric(float64(n.In+n.Out)/float64(n.Requests), "wire-B/op")
		})
	}
}

// BenchmarkFetch follows a branch of a large repository, one commit at a time.
func BenchmarkFetch(b *testing.B) {
	srv := gittest.New(b)
	history(b, srv, "big", 20_000)
	r := open(b, srv, "big")
	fetch(b, r, main)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		srv.Commit(b, "big", gittest.Change{Files: map[string]string{"apps/app01/values01.yaml": fmt.Sprint("new ", i)}})
		b.StartTimer()
		fetch(b, r, main)
	}
}

// BenchmarkClone is the first fetch of a large repository.
func BenchmarkClone(b *testing.B) {
	srv := gittest.New(b)
	history(b, srv, "big", 20_000)
	b.ReportAllocs()
	for b.Loop() {
		fetch(b, open(b, srv, "big", in(b.TempDir())), main)
	}
}

// BenchmarkIsAncestor asks for a commit far back, and for one on another branch.
func BenchmarkIsAncestor(b *testing.B) {
	srv := gittest.New(b)
	tip := history(b, srv, "big", 20_000)
	old := srv.Git(b, "big", "rev-parse", main+"~15000")
	side := srv.Commit(b, "big", gittest.Change{Branch: "side", Parent: srv.Git(b, "big", "rev-parse", main+"~50"), Files: files(1, "x")})
	r := open(b, srv, "big")
	fetch(b, r, "refs/heads/*")
	for name, ancestor := range map[string]string{"FarBack": old, "NoAncestor": side} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := r.IsAncestor(b.Context(), ancestor, tip); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPublish moves a branch of one commit in a repository of 20,000 commits. Wanted: as AppendNotes.
func BenchmarkPublish(b *testing.B) {
	srv := gittest.New(b)
	tip := history(b, srv, "big", 20_000)
	r := open(b, srv, "big")
	fetch(b, r, main)
	b.ReportAllocs()
	last := ""
	for i := 0; b.Loop(); i++ {
		w, err := r.Publish(b.Context(), branchOnto(last, tip, fmt.Sprint("revision: ", i)))
		if err != nil {
			b.Fatal(err)
		}
		last = w.Commit
	}
}

// BenchmarkCommits lists the latest 50 of 5000 commits.
func BenchmarkCommits(b *testing.B) {
	srv := gittest.New(b)
	tip := history(b, srv, "big", 20_000)
	r := open(b, srv, "big")
	fetch(b, r, main)
	in := gitsource.Range{From: srv.Git(b, "big", "rev-parse", main+"~5000"), To: tip}
	for b.Loop() {
		if _, n, err := r.Commits(b.Context(), in); err != nil || n != 5000 {
			b.Fatal(n, err)
		}
	}
}

// BenchmarkChangedPaths compares two revisions that 5000 commits lie between.
func BenchmarkChangedPaths(b *testing.B) {
	srv := gittest.New(b)
	tip := history(b, srv, "big", 20_000)
	r := open(b, srv, "big")
	fetch(b, r, main)
	old := srv.Git(b, "big", "rev-parse", main+"~5000")
	for b.Loop() {
		if names, err := r.ChangedPaths(b.Context(), old, tip); err != nil || len(names) == 0 {
			b.Fatal(names, err)
		}
	}
}
