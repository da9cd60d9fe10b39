package told

import (
	"time"

	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// A period is a week from Monday, UTC, so that one that is over does not change any more. A quarter of a year is shown.
const (
	week  = 7 * 24 * time.Hour
	weeks = 13
)

// monday is the beginning of the week that a time is in. The zero time of Go is a Monday.
func monday(at time.Time) time.Time { return at.UTC().Truncate(week) }

// deliveries measures each environment, week by week, from its first release on.
func (from From) deliveries(releases []record.Release) []view.Delivery {
	made := []view.Delivery{}
	committed := func(revision string) (time.Time, bool) {
		words, ok := from.Commit(revision)
		return words.At, ok
	}
	for _, some := range record.BySubject(releases) {
		first := monday(some[0].Began)
		for _, r := range some {
			if begins := monday(r.Began); begins.Before(first) {
				first = begins
			}
		}
		if earliest := monday(from.Now).Add(-(weeks - 1) * week); first.Before(earliest) {
			first = earliest
		}
		for begins := first; begins.Before(from.Now); begins = begins.Add(week) {
			ends := begins.Add(week)
			if ends.After(from.Now) {
				ends = from.Now.UTC()
			}
			m := record.Measure(some, committed, begins, ends)
			made = append(made, view.Delivery{
				Environment: m.Environment, From: m.From, To: m.To, Deployments: m.Deployments, Failures: m.Failures, Changes: m.Changes,
				LeadSeconds: m.LeadTime.Seconds, RestoreSeconds: m.TimeToRestore.Seconds,
			})
		}
	}
	return made
}
