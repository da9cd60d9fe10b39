package dashboardtest

import (
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// happen has something befall the applications that it is to be seen of.
func (s *Source) happen(now time.Time) {
	s.canaries(now)
	s.failures(now)
	s.waits(now)
	for i := range s.board.Cells { // its cluster is away
		if c := &s.board.Cells[i]; c.Cluster == "us-1" && c.Application == "ledger" {
			c.Stale, c.At = "Cluster us-1 does not answer since 12 minutes.", now.Add(-12*time.Minute)
		}
	}
}

func (s *Source) canaries(now time.Time) {
	fresh := func(app string, age time.Duration) view.Release {
		return view.Release{
			Revision: Revision(app + " new"), Version: "2.14.0-rc.3", Subject: "Take the discount before the tax, as the receipts say", Author: "Lin Okafor",
			Began: now.Add(-age), Digest: "sha256:" + Revision(app+"nd") + Revision(app + "ne")[:24],
		}
	}
	s.at("shop", "production", func(c *view.Cell) {
		old := c.Release
		c.Release, c.Proven, c.Phase, c.Health, c.Since, c.Verdict = fresh("shop", 24*time.Minute), &old, "Holding", view.Changing, now.Add(-14*time.Minute), "wait"
		c.Canary = canary(now)
		c.Steps[len(c.Steps)-1].Name = "record"
		c.Events = []view.Event{
			{At: now.Add(-40 * time.Second), Object: "Pod/shop-production/web-7f9c6b8d5-x2x9k", Reason: "Unhealthy", Message: "Readiness probe failed: HTTP probe failed with statuscode: 503", Times: 3, Warning: true},
			{At: now.Add(-14 * time.Minute), Object: "ReplicaSet/shop-production/web-7f9c6b8d5", Reason: "SuccessfulCreate", Message: "Created pod: web-7f9c6b8d5-x2x9k", Times: 1},
			{At: now.Add(-24 * time.Minute), Object: "Deployment/shop-production/web", Reason: "ScalingReplicaSet", Message: "Scaled up replica set web-7f9c6b8d5 from 0 to 1", Times: 1},
		}
		c.Help = &view.Help{What: "Approve stage 3 ahead of time", Command: "sluice approve shop production --stage 3"}
	})
	s.at("shop", "staging", func(c *view.Cell) { c.Release, c.Since = fresh("shop", 2*time.Hour), now.Add(-110*time.Minute) })
	s.at("shop", "production-us", func(c *view.Cell) { c.Behind.Commits = 3 })
	s.at("gateway", "production", func(c *view.Cell) {
		old := c.Release
		c.Release, c.Proven, c.Phase, c.Health, c.Since, c.Verdict = fresh("gateway", 3*time.Hour), &old, "Holding", view.Changing, now.Add(-95*time.Minute), "wait"
		c.Canary = &view.Canary{
			Stage: 1, Stages: 2, Form: "hold", Began: now.Add(-95 * time.Minute), Approve: 2, Waits: "stage 2 waits for a person's word",
			Plan:      []view.Stage{{Number: 1, Text: "1 instance for 10m"}, {Number: 2, Text: "50% until approved"}},
			Workloads: []view.Workload{{Object: "Deployment/gateway-production/gateway", Replicas: 4, Want: 1, New: 1, NewReady: 1, Proven: 4, ProvenReady: 4}},
		}
		c.Reason = "stage 2 waits for approval"
		c.Help = &view.Help{What: "Approve stage 2", Command: "sluice approve gateway production --stage 2"}
	})
	s.at("images", "staging", func(c *view.Cell) {
		c.Release, c.Phase, c.Health, c.Since, c.Verdict = fresh("images", 50*time.Second), "Progressing", view.Changing, now.Add(-48*time.Second), "wait"
		c.Reason = "2 of 3 pods of Deployment/images-staging/resizer are Ready"
	})
}

func canary(now time.Time) *view.Canary {
	at := func(minutes float64) time.Time { return now.Add(-time.Duration(minutes * float64(time.Minute))) }
	value := func(v float64) *float64 { return &v }
	c := &view.Canary{
		Stage: 2, Stages: 3, Form: "hold", Began: at(14), Due: now.Add(6*time.Minute + 12*time.Second), Weight: nil, Waits: "its time, and the samples of errors",
		Plan:      []view.Stage{{Number: 1, Text: "1 instance for 10m"}, {Number: 2, Text: "25% for 20m, measured by errors, latency"}, {Number: 3, Text: "50% until approved"}},
		Workloads: []view.Workload{{Object: "Deployment/shop-production/web", Replicas: 8, Want: 3, New: 3, NewReady: 2, Proven: 8, ProvenReady: 8}},
	}
	errors := view.Analysis{Name: "errors", Max: value(0.01), Taken: 24, Good: 22, Bad: 1, Says: "0.0042, at most 0.01"}
	latency := view.Analysis{Name: "latency-p99", Max: value(1.2), Compare: "ratio", Taken: 24, Good: 24, Says: "1.07 times that of the proven pods, at most 1.2"}
	traffic := view.Analysis{Name: "requests-per-second", Min: value(20), Taken: 12, Good: 12, Says: "148, at least 20"}
	for i := range 24 {
		wave := float64(i*7%5) / 1000
		sample := view.Sample{At: at(12 - float64(i)/2), Value: value(0.002 + wave)}
		switch i {
		case 9:
			sample.Value, sample.Bad = value(0.0131), true
		case 15:
			sample.Value = nil
		}
		errors.Samples = append(errors.Samples, sample)
		latency.Samples = append(latency.Samples, view.Sample{At: sample.At, Value: value(0.98 + float64(i*11%9)/50)})
		if i%2 == 0 {
			traffic.Samples = append(traffic.Samples, view.Sample{At: sample.At, Value: value(120 + float64(i*13%40))})
		}
	}
	c.Analyses = []view.Analysis{errors, latency, traffic}
	return c
}

func (s *Source) failures(now time.Time) {
	s.at("payments", "production", func(c *view.Cell) {
		old := c.Release
		c.Release = view.Release{Revision: Revision("payments new"), Version: "5.0.0", Subject: "Speak version 3 of the bank's protocol", Author: "Noor Haddad", Began: now.Add(-9 * time.Minute)}
		c.Proven, c.Phase, c.Health, c.Verdict, c.Since = &old, "Failed", view.Sick, "stall", now.Add(-2*time.Minute)
		c.Reason = "container api of pod api-6d8f7c9b5-kq2vz crashes again and again: exit status 1"
		c.NotWell = []view.Fault{{Object: "Deployment/payments-production/api", Reason: "2 of 6 pods are Ready"}, {Object: "Pod/payments-production/api-6d8f7c9b5-kq2vz", Reason: "CrashLoopBackOff: back-off 1m20s restarting failed container=api"}}
		c.Help = &view.Help{What: "Take it back", Command: "git revert " + c.Release.Revision[:7] + " && git push"}
	})
	s.at("catalog", "production", func(c *view.Cell) {
		c.Phase, c.Since, c.Verdict = "RolledBack", now.Add(-3*time.Hour), "stall"
		c.Reason = "analysis errors failed in stage 1: 3 bad samples, the last one 0.034, at most 0.01"
		c.Requests = []view.Request{{Kind: "revert", URL: "https://git.example.com/commerce/apps/pulls/482", Due: true, Revision: c.Release.Revision}}
	})
	s.at("reports", "staging", func(c *view.Cell) {
		c.Phase, c.Since, c.Verdict = "Blocked", now.Add(-26*time.Hour), "stall"
		c.Reason = "deploy/staging/rbac.yaml: ClusterRoleBinding/reports-admin: the application may not touch this kind"
	})
}

func (s *Source) waits(now time.Time) {
	s.at("search", "production", func(c *view.Cell) {
		c.Next = &view.Next{Revision: Revision("search next"), Reason: "no window is open", Opens: now.Add(14*time.Hour + 3*time.Minute)}
		c.Behind.Commits = 2
	})
	s.at("billing", "production", func(c *view.Cell) {
		c.Behind.Commits = 5
		c.Requests = []view.Request{{Kind: "promotion", URL: "https://git.example.com/platform/apps/pulls/77", Revision: Revision("billing next"), Reason: "check ci/e2e is pending; healthy for 18m of 30m", Until: now.Add(12 * time.Minute)}}
	})
	s.at("billing", "production-us", func(c *view.Cell) {
		c.Behind.Commits, c.Behind.AtLeast = 20, true
		c.Requests = []view.Request{{Kind: "promotion", URL: "https://git.example.com/platform/apps/pulls/71", Revision: Revision("billing us"), Due: true}}
	})
	s.at("mailer", "production", func(c *view.Cell) {
		c.Paused, c.Reason, c.Verdict = true, "paused in releases/production.yaml by commit 51be0aa", "stall"
		c.Help = &view.Help{What: "Let it go on", Command: "sluice resume mailer production"}
	})
	s.at("profile", "staging", func(c *view.Cell) {
		c.Drifted = []string{"Deployment/profile-staging/web: spec.template.spec.containers[web].resources.limits.memory"}
	})
}
