package dashboardtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// Many is an agent with as many applications of four environments each, all kinds of states among them.
func Many(now time.Time, applications int) *Source {
	s := newSource()
	s.board = view.Board{At: now, Origin: view.FromAgent, Agent: agentOf(now)}
	s.board.Agent.Clusters, s.board.Agent.Repositories = s.board.Agent.Clusters[:1], s.board.Agent.Repositories[:2]
	for i := range applications {
		name := fmt.Sprintf("service-%04d", i)
		for place, env := range []string{"development", "staging", "production-eu", "production-us"} {
			c := view.Cell{
				Key: view.Key{Application: name, Environment: env}, Repository: "monorepo", Labels: map[string]string{"team": fmt.Sprintf("team-%02d", i%23)},
				Namespace: name, Cluster: "eu-1", Phase: "Healthy", Health: view.Well, Verdict: "ready", Place: place, Objects: 12,
				Release: view.Release{Revision: Revision(fmt.Sprint(name, place)), Version: fmt.Sprintf("3.%d.%d", i%40, place), Subject: subjects[i%len(subjects)], Author: people[i%len(people)]},
				Since:   now.Add(-time.Duration(i*7+place) * time.Minute), At: now,
				Steps: []view.Step{{Name: "select", Seconds: 0.002}, {Name: "render", Seconds: 0.2}, {Name: "act", Seconds: 0.4}},
			}
			switch (i*4 + place) % 61 {
			case 7:
				c.Phase, c.Health, c.Reason = "Failed", view.Sick, "container api crashes again and again: exit status 1"
			case 21:
				c.Phase, c.Health, c.Canary, c.Reason = "Holding", view.Changing, canary(now), "its time, and the samples of errors"
			case 35:
				c.Next = &view.Next{Revision: Revision(name), Reason: "no window is open", Opens: now.Add(5 * time.Hour)}
			case 49:
				c.Requests = []view.Request{{Kind: "promotion", URL: "https://git.example.com/pulls/1", Due: true, Revision: Revision(name)}}
			}
			s.board.Cells = append(s.board.Cells, c)
		}
	}
	return s
}

// Crowded is an agent whose applications have an environment for each of many branches, and in one of which a workload has 2000
// pods.
func Crowded(now time.Time) *Source {
	s := Many(now, 60)
	for _, c := range s.board.Cells {
		if c.Place > 0 {
			continue
		}
		for branch := range 100 {
			c.Environment, c.Place = fmt.Sprintf("branch-%03d", branch), 4
			if c.Phase = "Healthy"; branch == 77 {
				c.Phase, c.Health, c.Reason = "Failed", view.Sick, "container api crashes again and again: exit status 1"
			}
			s.board.Cells = append(s.board.Cells, c)
			c.Health, c.Reason, c.Canary = view.Well, "", nil
		}
	}
	slices.SortStableFunc(s.board.Cells, func(a, b view.Cell) int { return cmp.Compare(a.Application, b.Application) })
	of := s.board.Cells[0]
	s.objects[of.Key] = objectsOf(now, of)
	above := s.objects[of.Key][slices.IndexFunc(s.objects[of.Key], func(o view.Object) bool { return o.Kind == "ReplicaSet" })]
	for i := range 2000 {
		name := fmt.Sprintf("%s-%04d", above.Name, i)
		s.objects[of.Key] = append(s.objects[of.Key], view.Object{
			ID: "Pod/" + of.Namespace + "/" + name, Parent: above.ID, Kind: "Pod", Namespace: of.Namespace, Name: name, Health: "Current",
			Pod: &view.Pod{IP: fmt.Sprintf("10.200.%d.%d", i/200, i%200+10), Node: fmt.Sprintf("node-%c", 'a'+i%9), Ready: true, Created: now.Add(-90 * time.Hour),
				Images: []string{"registry.example.com/service:1.9.0"}},
		})
	}
	return s
}

// FromNotes is the rich world as Git alone tells of it.
func FromNotes(now time.Time) *Source {
	s := Rich(now)
	s.board.Origin, s.board.Agent = view.FromNotes, view.Agent{Name: "git.example.com/commerce/apps"}
	for i := range s.board.Cells {
		c := &s.board.Cells[i]
		c.Health, c.Steps, c.Canary, c.Events, c.Drifted, c.NotWell, c.Stale, c.Objects = "", nil, nil, nil, nil, nil, "", 0
		c.Standing, c.Verdict = "verified", ""
		if c.Application == "auth" {
			c.Standing = "unknown key"
		}
	}
	return s
}

// Calm is the rich world while every cluster and repository answers.
func Calm(now time.Time) *Source {
	s := Rich(now)
	a := &s.board.Agent
	for i := range a.Clusters {
		a.Clusters[i].Ready, a.Clusters[i].Error = true, ""
	}
	for i := range a.Repositories {
		a.Repositories[i].Failing, a.Repositories[i].Error, a.Repositories[i].Fetched = time.Time{}, "", now.Add(-3*time.Second)
	}
	for i := range s.board.Cells {
		s.board.Cells[i].Stale = ""
	}
	return s
}

// Empty is an agent that has found nothing yet.
func Empty(now time.Time) *Source {
	s := newSource()
	s.board = view.Board{At: now, Origin: view.FromAgent, Agent: view.Agent{Name: "eu-1", Version: "v0.9.0", Started: now.Add(-4 * time.Second)}}
	return s
}

// Evil is a text with everything in it that must stay text.
const Evil = "<img src=x onerror=alert(1)>\"'`{{.}}</script><script>alert(2)</script>\x00\x1b[31m\u202egpj.exe\u2066 javascript:alert(3) "

// Hostile is one application whose every text wants to be more.
func Hostile(now time.Time) *Source {
	s := newSource()
	long := Evil + strings.Repeat("endless", 3000)
	app, env := Evil+"app", "عربي"+Evil
	s.board = view.Board{At: now, Origin: view.FromAgent, Agent: view.Agent{
		Name: Evil, Version: Evil, Faults: []string{long}, Repositories: []view.Repository{{Name: Evil, URL: "javascript:alert(4)", Branch: Evil, Tip: Evil, Error: long, Failing: now}},
		Clusters: []view.Cluster{{Name: Evil, Version: Evil, Error: long, Since: now}},
		Windows:  []view.Window{{Key: view.Key{Application: Evil}, From: now, Until: now.Add(time.Hour), Text: Evil, Reason: long}},
	}}
	release := view.Release{Revision: Evil + "rev", Trigger: Evil, Digest: long, Version: long, Subject: long, Author: long, Began: now}
	value := 1.0
	cell := view.Cell{
		Key: view.Key{Application: app, Environment: env}, Repository: Evil, Labels: map[string]string{Evil: long}, Namespace: long, Cluster: long, Phase: Evil, Reason: long,
		Health: Evil, Verdict: Evil, Release: release, Proven: &release, Next: &view.Next{Revision: Evil, Reason: long}, Behind: &view.Behind{Of: long, Commits: 1},
		Promotion: &view.Promotion{From: []string{long}, By: long, When: []string{long}},
		Requests:  []view.Request{{Kind: Evil, URL: "javascript:alert(5)", Branch: long, Reason: long}, {Kind: Evil, URL: "data:text/html,<script>alert(6)</script>"}},
		Canary: &view.Canary{Stage: 1, Stages: 2, Form: Evil, Waits: long, Plan: []view.Stage{{Number: 1, Text: long}}, Workloads: []view.Workload{{Object: long, New: 99999, Want: 1}},
			Analyses: []view.Analysis{{Name: Evil, Says: long, Compare: Evil, Max: &value, Samples: []view.Sample{{At: now, Value: &value}}}}},
		NotWell: []view.Fault{{Object: long, Reason: long}}, Drifted: []string{long}, Steps: []view.Step{{Name: Evil, Seconds: 1}},
		Events: []view.Event{{At: now, Object: long, Reason: Evil, Message: long, Warning: true}}, Help: &view.Help{What: long, Command: long, URL: "vbscript:alert(7)"},
	}
	s.board.Cells = []view.Cell{cell}
	s.histories[app] = view.History{
		Application: app, Stale: long, NotCounted: []view.NotCounted{{Environment: env, Revision: Evil, Phase: Evil, Standing: Evil, Detail: long}},
		Releases: []view.Past{{Key: cell.Key, Release: release, Phase: Evil, Reason: long, Standing: Evil, Agent: long, Merged: &view.Merged{By: long, Request: 8},
			Phases: []view.Phase{{Phase: Evil, At: now, Reason: long, Evidence: []string{long}, Pods: []view.Words{{Pod: long, Container: long, Reason: long, Lines: []string{long}}}}}}},
		Metrics: []view.Delivery{{Environment: env, From: now, To: now, Deployments: 1}},
	}
	s.objects[cell.Key] = []view.Object{{ID: Evil, Kind: Evil, Name: long, Health: Evil, Reason: long, Drift: long, Pod: &view.Pod{IP: long, Node: long, Images: []string{long}}}}
	s.manifests[Evil] = long
	s.diff = view.Diff{Changed: []view.DiffObject{{Object: long, Restarts: long, Lines: []string{long, "+" + long}}}}
	return s
}
