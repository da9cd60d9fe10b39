package reconciler

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// HistoryOf is what the history of an application is made of. It is pure.
type HistoryOf struct {
	Application string
	// Lines are those of all environments, as [record.Judge] found them.
	Lines []record.Judged
	// Commit is what a commit says of itself; false: nobody has it.
	Commit func(revision string) (CommitWords, bool)
	Now    time.Time
}

// CommitWords are what a commit says of itself. Anybody can write what they like into it.
type CommitWords struct {
	Author, Subject string
	At              time.Time    // committed, not authored
	Merged          *view.Merged // by it, see [MergedBy]
}

// weeks is for how many the deliveries are told, the present one among them.
const weeks = 12

// History puts the lines together.
func (of HistoryOf) History() view.History {
	releases, rest := record.Releases(of.Lines)
	made := view.History{Application: of.Application, Releases: []view.Past{}, Metrics: []view.Delivery{}}
	live := map[string]int{} // by environment
	for i, r := range releases {
		if r.Phase == policies.Healthy {
			live[r.Environment] = i
		}
	}
	by := map[string][]record.Release{}
	for i, r := range releases {
		past := of.past(r)
		at, serves := live[r.Environment]
		past.Live = serves && at == i
		made.Releases = append(made.Releases, past)
		by[r.Environment] = append(by[r.Environment], r)
	}
	slices.SortStableFunc(made.Releases, func(a, b view.Past) int {
		return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.Environment, b.Environment))
	})
	for _, r := range releases {
		if all := by[r.Environment]; all != nil {
			made.Metrics = append(made.Metrics, of.deliveries(all)...)
			delete(by, r.Environment)
		}
	}
	for _, j := range rest {
		made.NotCounted = append(made.NotCounted, view.NotCounted{
			Environment: j.Notes, Revision: j.Revision, Phase: string(j.Line.Phase), At: j.Line.At, Standing: string(j.Verdict.Standing),
			Detail: oneLine(cmp.Or(j.Verdict.Detail, string(j.Verdict.Standing))),
		})
	}
	return made
}

// past is one release.
func (of HistoryOf) past(r record.Release) view.Past {
	made := view.Past{
		Key:     view.Key{Application: r.Application, Environment: r.Environment},
		Release: view.Release{Revision: r.Revision, Digest: r.Digest, Began: r.Began},
		Phase:   string(r.Phase), Reason: oneLine(r.Reason), Ended: r.Ended, Seconds: r.Seconds, Standing: string(r.Standing), Agent: oneLine(r.Agent),
		Cluster: oneLine(r.Cluster), Phases: []view.Phase{},
	}
	if r.Trigger != r.Revision {
		made.Trigger = r.Trigger
	}
	if words, ok := of.Commit(cmp.Or(r.Trigger, r.Revision)); ok {
		made.Subject, made.Author = oneLine(words.Subject), oneLine(words.Author)
		made.Merged = words.Merged
	}
	for _, t := range r.Phases {
		told := view.Phase{
			Phase: string(t.Phase), At: t.At, Reason: oneLine(t.Reason), Stage: t.Stage.Number, Stages: t.Stage.Of, Seconds: t.Seconds,
			Evidence: t.Evidence.Sentences(),
		}
		for _, p := range t.Evidence.Pods {
			words := view.Words{Pod: oneLine(p.Pod), Container: oneLine(p.Container), Reason: oneLine(p.Reason)}
			for _, line := range p.LastLines {
				words.Lines = append(words.Lines, oneLine(strings.ReplaceAll(line, "\t", "    ")))
			}
			told.Pods = append(told.Pods, words)
		}
		made.Phases = append(made.Phases, told)
	}
	return made
}

// deliveries are the weeks of one environment, which begin on Mondays, UTC.
func (of HistoryOf) deliveries(releases []record.Release) (all []view.Delivery) {
	committed := func(revision string) (time.Time, bool) {
		words, ok := of.Commit(revision)
		return words.At, ok
	}
	day := of.Now.UTC().Truncate(24 * time.Hour)
	monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	for week := weeks - 1; week >= 0; week-- {
		from := monday.AddDate(0, 0, -7*week)
		to := from.AddDate(0, 0, 7)
		m := record.Measure(releases, committed, from, to)
		all = append(all, view.Delivery{
			Environment: releases[0].Environment, From: from, To: to, Deployments: m.Deployments, Failures: m.Failures, Changes: m.Changes,
			LeadSeconds: m.LeadTime.Seconds, RestoreSeconds: m.TimeToRestore.Seconds,
		})
	}
	return all
}
