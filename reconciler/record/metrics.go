package record

import (
	"slices"
	"time"

	"github.com/sluice-cd/sluice/policies"
)

// Metrics say how one environment is delivered to, in a period, from its lines alone. The names are those of
// https://dora.dev/guides/dora-metrics-four-keys/. Its JSON form is a contract.
type Metrics struct {
	Application string    `json:"application"`
	Environment string    `json:"environment"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	// Deployments are the releases that became Healthy for the first time. A way back to one that was, and is not withdrawn,
	// is none.
	Deployments       int     `json:"deployments"`
	DeploymentsPerDay float64 `json:"deploymentsPerDay"`
	// LeadTime is from the commit of a deployment to Healthy: the older one of its revision and its trigger.
	LeadTime Median `json:"leadTime"`
	// Changes are the releases that became Healthy or failed; Failures those that failed, were rolled back, or were left by a
	// way back. FailureRate is 0 to 1; it is missing where there was no change.
	Changes     int      `json:"changes"`
	Failures    int      `json:"failures"`
	FailureRate *float64 `json:"failureRate,omitempty"`
	// TimeToRestore is from Failed to the next Healthy or RolledBack of the environment.
	TimeToRestore Median `json:"timeToRestore"`
	// Open are the failures that are not restored yet.
	Open int `json:"open"`
}

// Median is the middle one of several times.
type Median struct {
	Seconds float64 `json:"seconds"` // zero where Of is
	Of      int     `json:"of"`      // how many there are
	// Unknown are those that the median leaves out: a commit that is not to be had any more, a failure that nobody noted.
	Unknown int `json:"unknown,omitempty"`
}

// Measure computes the metrics of one environment from its releases, in their order, in the time after from until to. committed
// is when a commit was made; false where it is not to be had.
func Measure(releases []Release, committed func(revision string) (time.Time, bool), from, to time.Time) Metrics {
	m := Metrics{From: from, To: to}
	within := func(at time.Time) bool { return at.After(from) && !at.After(to) }
	var lead, restore []time.Duration
	for i, r := range releases {
		m.Application, m.Environment = r.Application, r.Environment
		healthy, well := r.at(policies.Healthy)
		wayBack := well && isWayBack(releases[:i], r)
		failed, bad := failedAt(releases, i)
		if well && !wayBack && within(healthy) {
			m.Deployments++
			if at, ok := changed(r, committed); ok {
				lead = append(lead, max(0, healthy.Sub(at)))
			} else {
				m.LeadTime.Unknown++
			}
		}
		if !wayBack && (well && within(healthy) || bad && within(failed)) {
			m.Changes++
		}
		if !bad || !within(failed) || wayBack {
			continue
		}
		m.Failures++
		_, noted := r.at(policies.Failed)
		switch at, ok := restoredAt(releases, failed, to); {
		case !noted:
			m.TimeToRestore.Unknown++
		case ok:
			restore = append(restore, at.Sub(failed))
		default:
			m.Open++
		}
	}
	m.DeploymentsPerDay = float64(m.Deployments) / (to.Sub(from).Hours() / 24)
	if m.Changes > 0 {
		rate := float64(m.Failures) / float64(m.Changes)
		m.FailureRate = &rate
	}
	m.LeadTime.of(lead)
	m.TimeToRestore.of(restore)
	return m
}

// isWayBack reports whether a release is one that was proven before and is not withdrawn.
func isWayBack(before []Release, r Release) bool {
	return slices.ContainsFunc(before, func(o Release) bool {
		_, well := o.at(policies.Healthy)
		_, withdrawn := o.at(policies.Failed, policies.RolledBack)
		return well && !withdrawn && o.same(r)
	})
}

// failedAt is when a release failed: by its own lines, or by a way back to an earlier one right after it.
func failedAt(releases []Release, i int) (time.Time, bool) {
	if at, ok := releases[i].at(policies.Failed, policies.RolledBack); ok {
		return at, true
	}
	if _, well := releases[i].at(policies.Healthy); !well {
		return time.Time{}, false
	}
	for n, next := range releases[i+1:] {
		if at, well := next.at(policies.Healthy); well {
			return at, !next.same(releases[i]) && isWayBack(releases[:i+1+n], next)
		}
	}
	return time.Time{}, false
}

// restoredAt is when the environment was well again after a failure.
func restoredAt(releases []Release, failed, to time.Time) (found time.Time, ok bool) {
	for _, r := range releases {
		for _, t := range r.Phases {
			good := t.Phase == policies.Healthy || t.Phase == policies.RolledBack
			if good && t.At.After(failed) && !t.At.After(to) && (!ok || t.At.Before(found)) {
				found, ok = t.At, true
			}
		}
	}
	return found, ok
}

// changed is when the change of a release was committed. Where the tip is followed, its revision may have come after the
// commit that brought it; where a pin is, the commit that brought it came after the revision.
func changed(r Release, committed func(string) (time.Time, bool)) (oldest time.Time, ok bool) {
	for _, revision := range []string{r.Revision, r.Trigger} {
		if at, known := committed(revision); revision != "" && known && (!ok || at.Before(oldest)) {
			oldest, ok = at, true
		}
	}
	return oldest, ok
}

// of sets the median; of an even number of times it is the mean of the two in the middle.
func (m *Median) of(times []time.Duration) {
	if m.Of = len(times); m.Of == 0 {
		return
	}
	slices.Sort(times)
	middle := times[(len(times)-1)/2] + times[len(times)/2]
	m.Seconds = (middle / 2).Seconds()
}
