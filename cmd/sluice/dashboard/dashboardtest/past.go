package dashboardtest

import (
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

var subjects = []string{
	"Answer from the cache while the store is slow", "Log the request's id", "Update the base image", "Say which field is wrong",
	"Retry once when the queue is full", "Drop the flag of the old checkout", "Count what is refused", "Read the address from the settings",
}

var people = []string{"Ada Ekwueme", "Lin Okafor", "Noor Haddad", "Jonas Weiß", "山田 花子"}

// historyOf is a plain past of an application: most releases went everywhere, some failed, some were left out.
func historyOf(now time.Time, app string) view.History {
	h := view.History{Application: app}
	for i := range 38 {
		revision := Revision(app)
		if i > 0 {
			revision = Revision(fmt.Sprintf("%s %d", app, i))
		}
		began := now.Add(-time.Duration(5+19*i) * time.Hour)
		for place, env := range []string{"staging", "production", "production-us"} {
			if place > 0 && i%(place+2) == 1 {
				continue
			}
			phase, reason := "Healthy", ""
			switch {
			case i%11 == 4 && place == 0:
				phase, reason = "Failed", "container web of pod web-5c9f-2xk crashes again and again: exit status 2"
			case i%13 == 6 && place == 1:
				phase, reason = "RolledBack", "analysis errors failed in stage 2: 2 bad samples, the last one 0.021, at most 0.01"
			case i%9 == 5:
				phase, reason = "Superseded", "a newer release came"
			}
			at := began.Add(time.Duration(place) * 70 * time.Minute)
			h.Releases = append(h.Releases, past(app, env, revision, phase, reason, at, i))
		}
	}
	live := map[string]bool{}
	for i, p := range h.Releases {
		if p.Phase == "Healthy" && !live[p.Environment] {
			h.Releases[i].Live, live[p.Environment] = true, true
		}
	}
	for _, env := range []string{"staging", "production", "production-us"} {
		for week := range 12 {
			from := now.AddDate(0, 0, -7*(12-week)).UTC().Truncate(24 * time.Hour)
			n := (week*5+len(env)+len(app))%7 + 1
			d := view.Delivery{
				Environment: env, From: from, To: from.AddDate(0, 0, 7), Deployments: n, Failures: week % 4 / 3, Changes: n + week%4/3,
				LeadSeconds: float64(1800 + week*617%5000),
			}
			if d.Failures > 0 {
				d.RestoreSeconds = 140
			}
			h.Metrics = append(h.Metrics, d)
		}
	}
	return h
}

func past(app, env, revision, phase, reason string, at time.Time, i int) view.Past {
	p := view.Past{
		Key: view.Key{Application: app, Environment: env}, Phase: phase, Reason: reason, Ended: at.Add(14 * time.Minute), Seconds: 840, Standing: "verified",
		Agent: "eu-1", Cluster: "eu-1",
		Release: view.Release{Revision: revision, Subject: subjects[i%len(subjects)], Author: people[i%len(people)], Began: at, Version: fmt.Sprintf("1.%d.0", 60-i)},
	}
	if env != "staging" {
		p.Merged = &view.Merged{By: people[(i+1)%len(people)], Request: 400 - i}
	}
	p.Phases = []view.Phase{
		{Phase: "Progressing", At: at, Seconds: 20, Reason: "assessing what would change"},
		{Phase: "Holding", At: at.Add(20 * time.Second), Stage: 1, Stages: 2, Seconds: 600, Evidence: []string{"1 of 8 pods is new, and Ready", "errors: 20 of 20 samples are good; the last one: 0.003, at most 0.01"}},
		{Phase: "Promoting", At: at.Add(620 * time.Second), Seconds: 220},
		{Phase: phase, At: at.Add(840 * time.Second), Reason: reason, Evidence: []string{"9 objects are Current"}},
	}
	return p
}

// tell adds to the histories what happens now.
func (s *Source) tell(now time.Time) {
	for _, c := range s.board.Cells {
		if c.Release.Revision == Revision(c.Application) {
			continue
		}
		h := s.histories[c.Application]
		p := past(c.Application, c.Environment, c.Release.Revision, c.Phase, c.Reason, c.Release.Began, 1)
		p.Release = c.Release
		if p.Live = c.Phase == "Healthy"; p.Live {
			for i := range h.Releases {
				h.Releases[i].Live = h.Releases[i].Live && h.Releases[i].Environment != c.Environment
			}
		}
		if c.Phase != "Healthy" {
			p.Ended, p.Phases = time.Time{}, p.Phases[:2]
		}
		if c.Phase == "Failed" {
			p.Ended = c.Since
			p.Phases = append(p.Phases, view.Phase{Phase: "Failed", At: c.Since, Reason: c.Reason, Evidence: []string{"the proven release is back: 6 of 6 pods are Ready"}, Pods: []view.Words{{
				Pod: "api-6d8f7c9b5-kq2vz", Container: "api", Reason: "exit status 1, 4 restarts",
				Lines: []string{"2026/11/27 17:58:04 INFO starting version=5.0.0", "2026/11/27 17:58:04 ERROR read settings: bank.protocol: must be 2 or 4 (got \"3\")", "panic: invalid settings", "", "goroutine 1 [running]:", "main.main()", "\t/src/cmd/api/main.go:41 +0x1d2"},
			}}})
		}
		h.Releases = append([]view.Past{p}, h.Releases...)
		s.histories[c.Application] = h
	}
	again := past("payments", "production", Revision("payments new"), "Failed", "image registry.example.com/payments:5.0.0 is not there", now.Add(-50*time.Minute), 2)
	h := s.histories["payments"]
	h.Releases = append(h.Releases[:1:1], append([]view.Past{again}, h.Releases[1:]...)...)
	h.NotCounted = []view.NotCounted{
		{Environment: "production", Revision: Revision("forged"), Phase: "Healthy", At: now.Add(-30 * time.Hour), Standing: "unknown key", Detail: "key sd-4f1c is none of those that agent.yaml names for production"},
		{Environment: "staging", Revision: Revision("broken"), Phase: "Failed", At: now.Add(-90 * time.Hour), Standing: "broken chain", Detail: "line 212 follows a line that is not there"},
	}
	s.histories["payments"] = h
}
