package dashboardtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Rich is an agent's world in which everything happens at once: whatever a cell can be is one of these.
func Rich(now time.Time) *Source {
	s := newSource()
	s.board = view.Board{At: now, Origin: view.FromAgent, Agent: agentOf(now)}
	quiet := []string{"auth", "cart", "docs", "frontend", "notifier", "pricing", "recommendations", "stock", "tracking", "warehouse"}
	for i, name := range quiet {
		s.add(now, name, team(i), time.Duration(3+7*i)*time.Hour)
	}
	for i, name := range []string{"billing", "catalog", "gateway", "images", "ledger", "mailer", "payments", "profile", "reports", "search", "shop"} {
		s.add(now, name, team(i), time.Duration(5+11*i)*time.Hour)
	}
	slices.SortStableFunc(s.board.Cells, func(a, b view.Cell) int { return strings.Compare(a.Application, b.Application) })
	s.happen(now)
	for _, c := range s.board.Cells {
		if c.Environment == "staging" {
			s.histories[c.Application] = historyOf(now, c.Application)
		}
	}
	s.tell(now)
	s.fill(now)
	return s
}

func team(i int) string { return []string{"commerce", "platform", "growth"}[i%3] }

// Revision is a hash made of words.
func Revision(words string) string {
	const digits = "0123456789abcdef"
	h := uint64(14695981039346656037)
	out := make([]byte, 40)
	for i := range out {
		for _, b := range []byte(words) {
			h = (h ^ uint64(b)) * 1099511628211
		}
		h = (h ^ uint64(i)) * 1099511628211
		out[i] = digits[h>>59&15]
	}
	return string(out)
}

// add adds an application that is well, from staging to two productions.
func (s *Source) add(now time.Time, name, team string, age time.Duration) {
	for place, env := range []string{"staging", "production", "production-us"} {
		c := view.Cell{
			Key: view.Key{Application: name, Environment: env}, Repository: team, Labels: map[string]string{"team": team, "tier": "1"},
			Namespace: name + "-" + env, Cluster: "eu-1", Phase: "Healthy", Health: view.Well, Verdict: "ready", Objects: 9,
			Release: view.Release{
				Revision: Revision(name), Digest: "sha256:" + Revision(name+"d") + Revision(name + "e")[:24], Version: "1." + fmt.Sprint(len(name)) + ".0",
				Subject: "Answer from the cache while the store is slow", Author: "Ada Ekwueme", Began: now.Add(-age),
			},
			Since: now.Add(-age + 3*time.Minute), At: now.Add(-4 * time.Second),
			Steps: []view.Step{{Name: "select", Seconds: 0.0021}, {Name: "render", Seconds: 0.184}, {Name: "guard", Seconds: 0.0007}, {Name: "observe", Seconds: 0.0132},
				{Name: "plan", Seconds: 0.0009}, {Name: "save", Seconds: 0.021}, {Name: "act", Seconds: 0.412}, {Name: "record", Seconds: 0.0016}},
		}
		if env == "production-us" {
			c.Cluster = "us-1"
		}
		if place > 0 {
			c.Place = place
			c.Promotion = &view.Promotion{From: []string{"staging"}, By: "merge-request", When: []string{"healthy for 30m", "checks ci/build, ci/e2e"}}
			c.Behind = &view.Behind{Of: "staging"}
		}
		if place == 2 {
			c.Promotion.From, c.Promotion.When = []string{"production"}, []string{"healthy for 2h", "at 0 9 * * 1-5 Europe/Berlin"}
			c.Behind.Of = "production"
		}
		s.board.Cells = append(s.board.Cells, c)
	}
}

// at changes one cell.
func (s *Source) at(app, env string, change func(*view.Cell)) {
	for i := range s.board.Cells {
		if c := &s.board.Cells[i]; c.Application == app && c.Environment == env {
			change(c)
		}
	}
}

func agentOf(now time.Time) view.Agent {
	day := now.UTC().Truncate(24 * time.Hour)
	a := view.Agent{
		Name: "eu-1", Version: "v0.9.0 (b25a6e2)", Started: now.Add(-41 * time.Hour), Queue: 3,
		Repositories: []view.Repository{
			{Name: "commerce", URL: "https://git.example.com/commerce/apps.git", Branch: "main", Tip: Revision("commerce tip"), Fetched: now.Add(-7 * time.Second)},
			{Name: "growth", URL: "ssh://git@git.example.com/growth/apps.git", Branch: "main", Tip: Revision("growth tip"), Fetched: now.Add(-12 * time.Second)},
			{Name: "platform", URL: "https://git.example.com/platform/apps.git", Branch: "main", Tip: Revision("platform tip"), Fetched: now.Add(-19 * time.Minute),
				Error: "ask for refs: unexpected status 503 Service Unavailable", Failing: now.Add(-18 * time.Minute)},
		},
		Clusters: []view.Cluster{
			{Name: "eu-1", Version: "v1.36.3", Ready: true, Since: now.Add(-41 * time.Hour)},
			{Name: "us-1", Version: "v1.35.1", Error: "the API server does not answer: dial tcp: i/o timeout", Since: now.Add(-12 * time.Minute)},
		},
		Faults: []string{
			`platform: apps/reports/sluice.yaml: environments[production].rollout.canary.steps[2].weight: must be 1%..100% (got "140%")`,
			`commerce: apps/old/sluice.yaml: line 4: unknown key "enviroments"`,
		},
	}
	for i := range 7 {
		if d := day.AddDate(0, 0, i); d.Weekday() == time.Friday {
			a.Windows = append(a.Windows, view.Window{From: d.Add(17 * time.Hour), Until: d.Add(79 * time.Hour), Text: "deny 0 18 * * 5 for 62h, Europe/Berlin", Reason: "nobody is here on weekends"})
		}
		a.Windows = append(a.Windows, view.Window{
			Key: view.Key{Application: "search", Environment: "production"}, Allow: true, From: day.AddDate(0, 0, i).Add(8 * time.Hour),
			Until: day.AddDate(0, 0, i).Add(15 * time.Hour), Text: "allow 0 9 * * * for 7h, Europe/Berlin",
		})
	}
	return a
}
