package reconciler

import (
	"maps"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// requests are what the promoter asks of people for an environment, as its last look saw it.
type requests struct {
	promotion, revert *view.Request
	// proven are the revisions that are proven where it is promoted from.
	proven map[string]string
}

// list are those that there are. They are never changed.
func (r requests) list() (all []view.Request) {
	for _, one := range []*view.Request{r.revert, r.promotion} {
		if one != nil {
			all = append(all, *one)
		}
	}
	return all
}

// asked changes what is asked of people for an environment.
func (v *View) asked(k Key, change func(*requests)) {
	v.mu.Lock()
	before := v.requests[k]
	now := before
	change(&now)
	v.requests[k] = now
	v.mu.Unlock()
	if !same(before.promotion, now.promotion) || !same(before.revert, now.revert) || !maps.Equal(before.proven, now.proven) {
		v.changes.note()
	}
}

// same reports whether two requests say the same, but for when they are looked at again, which moves with each look.
func same(a, b *view.Request) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Until, y.Until = time.Time{}, time.Time{}
	return x == y
}

// own is a reason without what it says of other members of a group, whom not everybody may see.
func own(reason string) string {
	for _, words := range []string{"its group waits", "must have the same by in all of group"} {
		if before, _, found := strings.Cut(reason, words); found {
			return before + words
		}
	}
	return reason
}

// askedOf is what is asked of people for an environment.
func (v *View) askedOf(k Key) requests {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.requests[k]
}

// sawPromotion keeps what a look at a promotion came to.
func (v *View) sawPromotion(k Key, env config.Environment, out promote.Outcome, err error, branch string, again time.Time) {
	if env.Promotion == nil {
		v.asked(k, func(r *requests) { r.promotion = nil })
		return
	}
	made := &view.Request{
		Kind: "promotion", URL: out.Request.URL, Revision: out.Candidate, Due: out.Due, Reason: oneLine(own(out.Reason)), Until: again,
	}
	switch {
	case err != nil:
		made.Due, made.Reason = false, oneLine(own(err.Error()))
	case out.Candidate == "" && out.Request.Number == 0:
		made = nil
	case env.Promotion.By == config.ByMergeRequest && out.Candidate != "":
		made.Branch = strings.TrimPrefix(branch, "refs/heads/")
	}
	v.asked(k, func(r *requests) { r.promotion = made })
}

// sawRevert keeps what a look at the way back came to.
func (v *View) sawRevert(k Key, out promote.Outcome, err error) {
	var made *view.Request
	switch {
	case err != nil:
		made = &view.Request{Kind: "revert", Reason: oneLine(err.Error())}
	case out.Candidate != "" && out.Pin == nil:
		made = &view.Request{
			Kind: "revert", URL: out.Request.URL, Branch: strings.TrimPrefix(reverts, "refs/heads/") + k.String(), Revision: out.Candidate, Due: out.Due,
			Reason: oneLine(out.Reason),
		}
	}
	v.asked(k, func(r *requests) { r.revert = made })
}

// sawProven keeps what is proven where an environment is promoted from.
func (v *View) sawProven(k Key, lines map[string][]record.Line) {
	proven := map[string]string{}
	for from, of := range lines {
		if found := record.Proven(of, record.Subject{Application: k.Application, Environment: from}); len(found) > 0 {
			proven[from] = found[0].Revision
		}
	}
	if !maps.Equal(v.askedOf(k).proven, proven) {
		v.asked(k, func(r *requests) { r.proven = proven })
	}
}
