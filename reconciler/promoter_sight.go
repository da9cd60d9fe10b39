package reconciler

import (
	"cmp"
	"fmt"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// sight is what the last look at a key saw, and when the next one is due whatever moves.
type sight struct {
	moved string // all of Git that it depends on
	next  time.Time
	tries int    // faults in a row
	said  string // the last word that was logged
	fired policies.Firing
	back  bool   // a release had failed, or there was a branch to go back
	group string // that it is promoted with
}

// moved is all of Git that a key depends on, and what is known of its release.
func (p *promoter) moved(key Key, at place, env config.Environment, refs map[string]string) string {
	status := p.agent.status.get(key)
	moved := fmt.Sprint(at.tips(), refs[promotions+key.String()], refs[reverts+key.String()], status.Revision, status.fallen().Proven)
	comes, _ := comesFrom(env)
	for _, from := range comes {
		moved += " " + refs[record.Ref(from)]
	}
	return moved + " " + refs[p.groupRef(groupOf(env))]
}

// saw notes what a look at a key came to, and returns when it is due again.
func (p *promoter) saw(key Key, env config.Environment, moved string, refs map[string]string, out promote.Outcome, err error) time.Time {
	last, now := p.seen[key], p.agent.now()
	status, group := p.agent.status.get(key), groupOf(env)
	_, checks := comesFrom(env)
	this := sight{
		moved: moved, next: now.Add(lookAgain), said: last.said, back: status.fallen().Proven != "" || refs[reverts+key.String()] != "", fired: out.Fired,
		group: group,
	}
	if err == nil && !out.Fired.Same(status.fired) {
		p.agent.keepFired(key, out.Fired)
	}
	if out.Candidate == "" && refs[promotions+key.String()] == "" && refs[reverts+key.String()] == "" && refs[p.groupRef(group)] == "" && len(checks) == 0 {
		this.next = now.Add(longestWait) // nobody can have touched a request: a forge bears few questions of many environments
	}
	if out.Pin != nil {
		p.pins, this.tries = append(p.pins, *out.Pin), last.tries
	}
	if out.After > 0 {
		this.next = now.Add(min(out.After, this.next.Sub(now)))
	}
	said := out.Reason
	if err != nil {
		this.tries = last.tries + 1
		this.next = now.Add(max(out.After, min(time.Second<<min(last.tries, 6), lookAgain)))
		said = err.Error()
	}
	if said != this.said {
		this.said = said
		log := p.agent.log.With("app", key.Application, "env", key.Environment, "revision", out.Candidate)
		switch {
		case err != nil && env.Promotion == nil:
			log.Warn("Way back was not looked after", "err", err)
		case err != nil:
			log.Warn("Promotion was not looked after", "err", err)
		case env.Promotion == nil:
			log.Info("Way back was looked at", "reason", out.Reason, "request", out.Request.URL)
		default:
			log.Info("Promotion was looked at", "due", out.Due, "reason", out.Reason, "request", out.Request.URL)
		}
	}
	p.seen[key] = this
	p.agent.view.sawPromotion(key, env, out, err, cmp.Or(p.groupRef(group), promotions+key.String()), this.next)
	return this.next
}
