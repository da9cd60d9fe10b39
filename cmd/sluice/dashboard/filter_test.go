package dashboard

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler/view"
)

func cellsToFind() []view.Cell {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	cell := func(app, env, phase string, minute int, labels map[string]string) view.Cell {
		return view.Cell{
			Key: view.Key{Application: app, Environment: env}, Phase: phase, Since: at.Add(time.Duration(minute) * time.Minute), Labels: labels,
			Release: view.Release{Revision: strings.Repeat("4f1c", 10), Subject: "Raise the " + app, Author: "Ada"},
		}
	}
	team := map[string]string{"team": "payments"}
	return []view.Cell{
		cell("bank", "staging", "Healthy", 1, team), cell("bank", "production", "Failed", 2, team),
		cell("shop", "staging", "Healthy", 9, nil), cell("shop", "production", "Healthy", 3, nil),
		cell("web", "production", "Progressing", 5, map[string]string{"team": "front"}),
	}
}

func TestFilter(t *testing.T) {
	for name, tc := range map[string]struct{ reason, query, want string }{
		"Nothing":        {"all of it", "", "bank/staging bank/production shop/staging shop/production web/production"},
		"Text":           {"in names, whatever the case", "q=SHOP", "shop/staging shop/production"},
		"EachWord":       {"all are to be found", "q=raise+bank+prod", "bank/production"},
		"Revision":       {"its beginning is enough", "q=4f1c4f1&env=staging", "bank/staging shop/staging"},
		"Environments":   {"any of them", "env=production&env=nowhere", "bank/production shop/production web/production"},
		"Phase":          {"as it is written", "phase=Failed&phase=Progressing", "bank/production web/production"},
		"NotWell":        {"whatever a person has to look at", "notWell=true", "bank/production web/production"},
		"NotWellEmpty":   {"a form sends it so", "notWell=", "bank/staging bank/production shop/staging shop/production web/production"},
		"Label":          {"with its value", "label=team%3Dpayments", "bank/staging bank/production"},
		"LabelWhichever": {"whatever value", "label=team", "bank/staging bank/production web/production"},
		"NewestFirst":    {"by the newest of each application", "sort=age", "shop/staging shop/production web/production bank/staging bank/production"},
		"TroubleFirst":   {"names decide where it is the same", "sort=trouble", "bank/staging bank/production web/production shop/staging shop/production"},
		"NoSuchOrder":    {"counts for nothing", "sort=up&page=-3", "bank/staging bank/production shop/staging shop/production web/production"},
		"PastTheLast":    {"the last page", "page=99&q=web", "web/production"},
		"Nobody":         {"no cell, and one page", "q=nobody", ""},
	} {
		t.Run(name, func(t *testing.T) {
			query, err := url.ParseQuery(tc.query)
			if err != nil {
				t.Fatal(err)
			}
			f := FilterOf(query)
			found := f.Find(cellsToFind())
			var got []string
			for _, c := range found.Cells {
				got = append(got, c.Key.String())
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			again, err := url.ParseQuery(f.Query())
			if err != nil || !cmp.Equal(FilterOf(again), f.At(max(f.Page, 0)), cmp.Transformer("page", func(n int) int { return max(n, 1) })) {
				t.Errorf("as a link it becomes %q, and is another", f.Query())
			}
		})
	}
}

func TestFilterPages(t *testing.T) {
	var cells []view.Cell
	for i := range 2*pageSize + 1 {
		for _, env := range []string{"staging", "production"} {
			cells = append(cells, view.Cell{Key: view.Key{Application: fmt.Sprintf("app-%03d", i), Environment: env}})
		}
	}
	for page, want := range map[int]int{0: pageSize, 1: pageSize, 2: pageSize, 3: 1, 4: 1} {
		found := Filter{Page: page}.Find(cells)
		if len(found.Cells) != 2*want || found.Pages != 3 || found.Applications != 2*pageSize+1 {
			t.Errorf("page %d has %d cells of %d applications on %d pages", page, len(found.Cells), found.Applications, found.Pages)
		}
	}
}
