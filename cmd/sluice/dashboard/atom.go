package dashboard

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// What a feed costs: of all applications it has the releases of those that changed last.
const (
	feedEntries      = 50
	feedApplications = 20
)

// atomFeed is a feed by RFC 4287.
type atomFeed struct {
	XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
	ID      string      `xml:"id"`
	Title   string      `xml:"title"`
	Updated string      `xml:"updated"`
	Links   []atomLink  `xml:"link"`
	Author  string      `xml:"author>name"`
	Entries []atomEntry `xml:"entry"`
}

type atomLink struct {
	Rel  string `xml:"rel,attr"`
	Type string `xml:"type,attr,omitempty"`
	Href string `xml:"href,attr"`
}

// atomEntry is a release in one environment. Its id stays the same while its phase changes.
type atomEntry struct {
	ID        string   `xml:"id"`
	Title     string   `xml:"title"`
	Published string   `xml:"published"`
	Updated   string   `xml:"updated"`
	Link      atomLink `xml:"link"`
	Summary   string   `xml:"summary,omitempty"`
	at        time.Time
}

// feed is the releases of all applications that changed last.
func (s *Server) feed(w http.ResponseWriter, r *http.Request, from view.Source) error {
	board, err := from.Board(r.Context())
	if err != nil {
		return err
	}
	var entries []atomEntry
	rows, _ := filter{Sort: "age"}.rows(board)
	for _, row := range rows[:min(len(rows), feedApplications)] {
		history, err := from.History(r.Context(), row.Application)
		if errors.Is(err, view.ErrUnknown) { // it went in between
			continue
		}
		if err != nil {
			return err
		}
		entries = append(entries, entriesOf(history)...)
	}
	return s.writeFeed(w, cmp.Or(s.config.Title, board.Agent.Name), "/", entries)
}

// applicationFeed is the releases of one application.
func (s *Server) applicationFeed(w http.ResponseWriter, r *http.Request, from view.Source) error {
	application := r.PathValue("app")
	history, err := from.History(r.Context(), application)
	if err != nil {
		return err
	}
	return s.writeFeed(w, application, "/a/"+url.PathEscape(application), entriesOf(history))
}

func entriesOf(history view.History) (entries []atomEntry) {
	for _, past := range history.Releases {
		if len(past.Phases) == 0 {
			continue
		}
		first, last := past.Phases[0].At, past.Phases[len(past.Phases)-1].At
		said := past.Phase
		if past.Standing != "" && past.Standing != "verified" {
			said += " (" + past.Standing + ")"
		}
		title := fmt.Sprintf("%s: %s %s", past.Key, said, shortRevision(past.Revision))
		if past.Subject != "" {
			title += ": " + past.Subject
		}
		// The time tells two releases of one revision apart: a branch that was set back brings it once more.
		id := fmt.Sprintf("tag:sluice.dev,2026:%s/%s/%s/%d", url.PathEscape(past.Application), url.PathEscape(past.Environment), url.PathEscape(past.Revision), first.UnixMilli())
		entries = append(entries, atomEntry{
			ID: id, Title: plainText(title, longestCard), Published: atomTime(first), Updated: atomTime(last), at: last,
			Link:    atomLink{"alternate", "text/html", "/a/" + url.PathEscape(past.Application)},
			Summary: plainText(past.Reason, 2*longestCard),
		})
	}
	return entries
}

// writeFeed writes a feed of what a page shows. Its links are relative, to where it was read from: how a proxy before it is called
// nobody here knows.
func (s *Server) writeFeed(w http.ResponseWriter, of, page string, entries []atomEntry) error {
	slices.SortStableFunc(entries, func(a, b atomEntry) int { return b.at.Compare(a.at) })
	entries = entries[:min(len(entries), feedEntries)]
	updated := time.Unix(0, 0) // nothing happened yet, and that does not change from one look to the next
	if len(entries) > 0 {
		updated = entries[0].at
	}
	made := atomFeed{
		ID: "tag:sluice.dev,2026:feed/" + url.PathEscape(cmp.Or(s.config.Title, "sluice")) + page, Title: plainText(of+": releases", longestCard),
		Updated: atomTime(updated), Author: "Sluice", Entries: entries,
		Links: []atomLink{{"self", "application/atom+xml", strings.TrimSuffix(page, "/") + "/feed.atom"}, {"alternate", "text/html", page}},
	}
	text, err := xml.MarshalIndent(made, "", "  ")
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.Header().Set("Cache-Control", "private, max-age=60")
	_, _ = w.Write(append([]byte(xml.Header), text...)) //nolint:errcheck // who asked is gone
	return nil
}

func atomTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }
