package dashboard

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// readFeed is what a reader of feeds makes of an answer; it checks what RFC 4287 demands.
func readFeed(t *testing.T, text string) atomFeed {
	t.Helper()
	var feed atomFeed
	if err := xml.Unmarshal([]byte(text), &feed); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	demand := func(what, id, title, updated string) {
		if u, err := url.Parse(id); err != nil || u.Scheme != "tag" {
			t.Errorf("%s: id %q is no IRI", what, id)
		}
		if title == "" {
			t.Errorf("%s has no title", what)
		}
		if _, err := time.Parse(time.RFC3339, updated); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	demand("feed", feed.ID, feed.Title, feed.Updated)
	if feed.Author == "" || len(feed.Links) != 2 || feed.Links[0].Rel != "self" || feed.Links[1].Rel != "alternate" {
		t.Errorf("feed has author %q and links %v", feed.Author, feed.Links)
	}
	ids := map[string]bool{}
	for _, e := range feed.Entries {
		demand("entry", e.ID, e.Title, e.Updated)
		if ids[e.ID] {
			t.Errorf("id %q is there twice", e.ID)
		}
		ids[e.ID] = true
	}
	return feed
}

func past(app string, minute int, phases ...string) view.Past {
	p := view.Past{
		Key: view.Key{Application: app, Environment: "production"}, Standing: "verified",
		Release: view.Release{Revision: strings.Repeat("4f1c", 10), Subject: "Raise it"},
	}
	for i, phase := range phases {
		p.Phase = phase
		p.Phases = append(p.Phases, view.Phase{Phase: phase, At: noon.Add(time.Duration(minute+i) * time.Minute)})
	}
	return p
}

func TestFeed(t *testing.T) {
	source := fixed{
		board: view.Board{Cells: cellsToFind(), Agent: view.Agent{Name: "eu-1"}},
		histories: map[string]view.History{
			"shop": {Releases: []view.Past{past("shop", 10, "Progressing", "Failed"), past("shop", 0, "Healthy")}},
			"web":  {Releases: []view.Past{past("web", 5, "Healthy")}},
			"bank": {Releases: []view.Past{past("bank", 7, "Healthy")}},
		},
	}
	for name, tc := range map[string]struct {
		reason, path string
		gate         Gate
		want         []string
	}{
		"All": {"of all applications, the newest first", "/feed.atom", Everybody{}, []string{
			"shop/production: Failed 4f1c4f1: Raise it", "bank/production: Healthy 4f1c4f1: Raise it",
			"web/production: Healthy 4f1c4f1: Raise it", "shop/production: Healthy 4f1c4f1: Raise it",
		}},
		"One":  {"of one application", "/a/web/feed.atom", Everybody{}, []string{"web/production: Healthy 4f1c4f1: Raise it"}},
		"Some": {"of those that may be seen", "/feed.atom", onlySees{"web"}, []string{"web/production: Healthy 4f1c4f1: Raise it"}},
		"None": {"a feed of nothing is one", "/feed.atom", onlySees{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask(t, source, tc.gate, tc.path)
			if answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Type"), "application/atom+xml") {
				t.Fatalf("%d %s", answer.Code, answer.Header())
			}
			var titles []string
			for _, e := range readFeed(t, answer.Body.String()).Entries {
				titles = append(titles, e.Title)
			}
			if diff := cmp.Diff(tc.want, titles); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
		})
	}
	for _, path := range []string{"/a/shop/feed.atom", "/a/nothing/feed.atom"} {
		if answer := ask(t, source, onlySees{"web"}, path); answer.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, answer.Code)
		}
	}
}

// TestFeedIDsStay: a release goes on, and others come after it; its id is what it was, or readers would tell it twice.
func TestFeedIDsStay(t *testing.T) {
	before := entriesOf(view.History{Releases: []view.Past{past("shop", 0, "Progressing")}})
	after := entriesOf(view.History{Releases: []view.Past{past("shop", 60, "Progressing"), past("shop", 0, "Progressing", "Promoting", "Healthy")}})
	if len(after) != 2 || after[1].ID != before[0].ID || after[0].ID == after[1].ID {
		t.Errorf("before %v, after %v", before, after)
	}
	if before[0].Updated == after[1].Updated || before[0].Published != after[1].Published {
		t.Errorf("before %v, after %v", before, after)
	}
}

// TestFeedKeepsTextAsText: whatever commits and reasons say, it is read as that text, and a line that does not count is told as such.
func TestFeedKeepsTextAsText(t *testing.T) {
	p := past("shop", 0, "Failed")
	p.Subject, p.Reason, p.Standing = hostile, hostile+"]]>"+strings.Repeat("long ", 500), "unknown key"
	source := fixed{board: view.Board{Cells: cellsToFind()}, histories: map[string]view.History{"shop": {Releases: []view.Past{p}}}}
	answer := ask(t, source, Everybody{}, "/a/shop/feed.atom")
	feed := readFeed(t, answer.Body.String())
	if strings.Contains(answer.Body.String(), "<script") || len(feed.Entries) != 1 {
		t.Fatal(answer.Body)
	}
	e := feed.Entries[0]
	if want := "shop/production: Failed (unknown key) 4f1c4f1: <script>alert(1)</script>\"' onload=x &amp; gnp.exe [31m"; e.Title != want {
		t.Errorf("title %q, want %q", e.Title, want)
	}
	if strings.ContainsAny(e.Summary, "\x00\x1b\u202e") || len([]rune(e.Summary)) > 2*longestCard {
		t.Errorf("summary %q", e.Summary)
	}
}

// TestFeedIsBounded: a thousand applications cost what twenty do.
func TestFeedIsBounded(t *testing.T) {
	source := fixed{histories: map[string]view.History{}}
	for i := range 100 {
		app := fmt.Sprintf("app-%03d", i)
		source.board.Cells = append(source.board.Cells, view.Cell{Key: view.Key{Application: app, Environment: "production"}, Since: noon.Add(time.Duration(i) * time.Minute)})
		for n := range 5 {
			h := source.histories[app]
			h.Releases = append(h.Releases, past(app, i-n, "Healthy"))
			source.histories[app] = h
		}
	}
	feed := readFeed(t, ask(t, source, Everybody{}, "/feed.atom").Body.String())
	oldest := slices.MinFunc(feed.Entries, func(a, b atomEntry) int { return strings.Compare(a.Title, b.Title) })
	if len(feed.Entries) != feedEntries || !strings.HasPrefix(feed.Entries[0].Title, "app-099") || oldest.Title < "app-080" {
		t.Errorf("%d entries, the first %q, the oldest %q", len(feed.Entries), feed.Entries[0].Title, oldest.Title)
	}
}
