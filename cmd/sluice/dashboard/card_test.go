package dashboard

import (
	"html/template"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/view"
)

func TestCard(t *testing.T) {
	c := view.Cell{
		Key: view.Key{Application: "shop", Environment: "production"}, Phase: "Healthy", Since: noon.Add(-3 * time.Hour),
		Release: view.Release{Revision: strings.Repeat("4f1c", 10), Subject: "Raise it"},
	}
	failed := c
	failed.Phase, failed.Reason, failed.Since = "Failed", "Deployment/shop/web: the image does not exist", noon.Add(-90*time.Second)
	board := func(cells ...view.Cell) view.Board { return view.Board{Cells: cells} }
	for name, tc := range map[string]struct {
		reason    string
		got, want card
	}{
		"Cell":      {"what, which, since when", cellCard(c, view.FromAgent, noon), card{"shop/production: Healthy 4f1c4f1, 3 h ago", "Raise it"}},
		"Reported":  {"nobody looked", cellCard(c, view.FromNotes, noon), card{"shop/production: last reported Healthy 4f1c4f1, 3 h ago", "Raise it"}},
		"Why":       {"the reason goes first", cellCard(failed, view.FromAgent, noon), card{"shop/production: Failed 4f1c4f1, 1 min ago", failed.Reason}},
		"BoardWell": {"one number", boardCard("eu-1", board(c, c)), card{"eu-1", "2 environments, all well"}},
		"BoardSick": {"and the first that is not", boardCard("eu-1", board(c, failed)),
			card{"eu-1", "1 of 2 environments are not simply well. shop/production is Failed: " + failed.Reason}},
	} {
		if diff := cmp.Diff(tc.want, tc.got); diff != "" {
			t.Errorf("%s: %s (-want +got):\n%s", name, tc.reason, diff)
		}
	}
}

// TestCardKeepsTextAsText: in a page's head too.
func TestCardKeepsTextAsText(t *testing.T) {
	made := template.Must(template.ParseFS(files, "templates/og.html"))
	var text strings.Builder
	c := view.Cell{Key: view.Key{Application: hostile, Environment: "a"}, Phase: "Failed", Reason: `"><meta http-equiv="refresh" content="0;url=javascript:x">` + hostile}
	if err := made.ExecuteTemplate(&text, "og", cellCard(c, view.FromAgent, noon)); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(text.String(), "<"); n != 5 || strings.Contains(text.String(), "\u202e") {
		t.Errorf("%d elements:\n%s", n, text.String())
	}
}
