package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
)

// company are environments that are looked at together: the members of a group, or one alone.
type company struct {
	group   string // empty: it is one alone
	keys    []Key  // sorted
	places  map[Key]place
	outside []promote.Member // those whose rules are not in force, and that are told of
}

// groupOf is whom an environment is promoted with; empty: it is alone.
func groupOf(env config.Environment) string {
	if env.Promotion == nil {
		return ""
	}
	return env.Promotion.Group
}

// groupRef is the branch that a group asks by; empty: there is no group.
func (p *promoter) groupRef(group string) string {
	if group == "" {
		return ""
	}
	return "refs/heads/" + promote.GroupBranch(p.source.repo, group)
}

// brokenError is that a release file makes no sense: until somebody puts it right nobody waits for its environment.
type brokenError struct{ error }

func (e brokenError) Unwrap() error { return e.error }

// companies are all that is to be looked at, each with those that it is promoted with.
func (p *promoter) companies(subjects map[Key]place) []company {
	var all []company
	grouped := map[string]int{}
	for key, at := range subjects {
		env, _ := at.app.Environment(key.Environment)
		group := groupOf(*env)
		i, known := grouped[group]
		if group == "" || !known {
			i = len(all)
			grouped[group] = i
			all = append(all, company{group: group, places: subjects})
		}
		all[i].keys = append(all[i].keys, key)
	}
	for i := range all {
		slices.SortFunc(all[i].keys, func(a, b Key) int { return cmp.Compare(a.String(), b.String()) })
		if all[i].group != "" {
			all[i].outside = p.outside(all[i])
		}
	}
	return all
}

// outside are the members of a group that are served here and that nothing new starts for.
func (p *promoter) outside(c company) (out []promote.Member) {
	at, there := p.source.at()
	if !there {
		return nil
	}
	for _, d := range at.snap.apps {
		if d.app == nil {
			continue
		}
		for _, env := range d.app.Environments {
			key := Key{d.app.Metadata.Name, env.Name}
			_, served := p.agent.config.Serves(env.Name)
			if groupOf(env) != c.group || !served || env.State == config.Absent || slices.Contains(c.keys, key) {
				continue
			}
			why := "it cannot be looked at now"
			_, err := p.agent.catalog.find(key.Application)
			switch faults := d.faults.For(env.Name); {
			case err != nil:
				why = err.Error()
			case d.broken || len(faults) > 0:
				why = config.FileName + " is faulty"
			case env.State == config.Paused:
				why = "paused"
			}
			at.discovered = d
			out = append(out, promote.Member{Out: why, Subject: p.subject(key, at)})
		}
	}
	return out
}

// visit looks at a company where something moved for one of it, or is due, and returns when it is due again.
func (p *promoter) visit(ctx context.Context, c company, refs map[string]string) time.Time {
	now, due, next := p.agent.now(), false, p.agent.now().Add(longestWait)
	moved, fresh := make([]string, len(c.keys)), make([]bool, len(c.keys))
	for i, key := range c.keys {
		env, _ := c.places[key].app.Environment(key.Environment)
		last := p.seen[key]
		moved[i] = p.moved(key, c.places[key], *env, refs)
		fresh[i] = moved[i] != last.moved
		if due = due || fresh[i] || !now.Before(last.next); last.next.Before(next) {
			next = last.next
		}
	}
	if !due {
		return next
	}
	outs, errs := p.lookAt(ctx, c, fresh, refs)
	next = now.Add(longestWait)
	for i, key := range c.keys {
		env, _ := c.places[key].app.Environment(key.Environment)
		if at := p.saw(key, *env, moved[i], refs, outs[i], errs[i]); at.Before(next) {
			next = at
		}
	}
	return next
}

// lookAt looks at each of a company, and then at what they come to together.
func (p *promoter) lookAt(ctx context.Context, c company, fresh []bool, refs map[string]string) ([]promote.Outcome, []error) {
	outs, errs := make([]promote.Outcome, len(c.keys)), make([]error, len(c.keys))
	var members []promote.Member
	asking := make([]int, len(c.keys)) // its place among the members
	fault, waits := p.ofTwoMinds(c), ""
	for i, key := range c.keys {
		at := c.places[key]
		env, _ := at.app.Environment(key.Environment)
		asking[i] = -1
		keep := func(_ context.Context, k *promote.Keeper, s promote.Subject) (promote.Outcome, error) {
			asking[i] = len(members)
			members = append(members, promote.Member{Keeper: k, Subject: s})
			return promote.Outcome{Fired: s.Fired}, nil
		}
		if c.group == "" {
			keep = func(ctx context.Context, k *promote.Keeper, s promote.Subject) (promote.Outcome, error) {
				return k.Look(ctx, s)
			}
		}
		outs[i], errs[i] = p.look(ctx, key, at, *env, fresh[i], refs[reverts+key.String()] != "", keep)
		if c.group == "" || asking[i] >= 0 {
			continue
		}
		why := outs[i].Reason
		if errs[i] != nil {
			why = errs[i].Error()
		}
		if broken := (brokenError{}); outs[i].After > 0 || errs[i] != nil && !errors.As(errs[i], &broken) {
			waits = "its group waits for " + key.String() + ", which cannot be looked at now"
		}
		c.outside = append(c.outside, promote.Member{Out: why, Subject: p.subject(key, at)})
	}
	if len(members) == 0 || ctx.Err() != nil {
		return outs, errs
	}
	var all []promote.Outcome
	var err error
	if fault == "" && waits == "" {
		all, err = p.keeper(Key{"", c.group}, nil).LookTogether(ctx, c.group, append(members, c.outside...))
	}
	for i, at := range asking {
		switch {
		case at < 0:
		case fault != "":
			errs[i] = fmt.Errorf("environments[%s].promotion.group: %s", c.keys[i].Environment, fault)
		case waits != "":
			outs[i].Reason = waits
		default:
			outs[i], errs[i] = all[at], cmp.Or(err, errs[i])
		}
	}
	return outs, errs
}

// ofTwoMinds is why the members of a group cannot be promoted together; empty: they can.
func (p *promoter) ofTwoMinds(c company) string {
	by := map[config.PromotionBy]bool{}
	var say []string
	for _, key := range c.keys {
		env, _ := c.places[key].app.Environment(key.Environment)
		if env.Promotion != nil {
			by[env.Promotion.By] = true
			say = append(say, fmt.Sprintf("%s has %s", key, env.Promotion.By))
		}
	}
	if len(by) < 2 {
		return ""
	}
	return fmt.Sprintf("must have the same by in all of group %q: %s", c.group, strings.Join(say, ", "))
}
