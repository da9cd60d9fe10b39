package promote

import (
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// rulesOf are what an environment says of its promotion, as they are decided by.
func rulesOf(p config.Promotion) (policies.Promotion, error) {
	times, zone, err := p.When.Times()
	if err != nil {
		return policies.Promotion{}, err
	}
	rules := policies.Promotion{
		From: p.From, Commit: p.By == config.ByCommit, HealthyFor: p.When.HealthyFor.Std(), Checks: p.When.Checks,
		Releases: p.When.Releases, Quiet: p.When.Quiet.Std(), Cron: p.When.Schedule, Zone: zone,
	}
	if times != nil {
		rules.Schedule = times
	}
	return rules, nil
}

// arrival is the newest release of an environment, and when it was seen here first: clocks of two agents are not compared.
type arrival struct {
	revision string
	seen     time.Time
}

// arrivals are what came to be proven in each environment that releases come from, since the pin was moved.
func (k *Keeper) arrivals(s Subject) map[string]policies.Arrivals {
	if k.first == nil {
		k.first = map[string]arrival{}
	}
	all := map[string]policies.Arrivals{}
	for _, from := range s.promotion().From {
		var a policies.Arrivals
		for i, line := range record.Proven(s.Lines[from], record.Subject{Application: s.Application, Environment: from}) {
			if i == 0 && k.first[from].revision != line.Revision {
				k.first[from] = arrival{line.Revision, s.Now}
			}
			if line.Revision == s.Release.Revision || line.Trigger == s.Release.Revision {
				break
			}
			a.Releases++
		}
		a.Last = k.first[from].seen
		all[from] = a
	}
	return all
}
