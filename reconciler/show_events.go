package reconciler

import (
	"cmp"
	"slices"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// mostEvents bounds those that are shown: what repeats itself comes first.
const mostEvents = 20

// events are the warnings about the environment's workloads and their pods, the newest first. They are watched while a release is
// under way; what was seen last is shown until the next one.
func (p *Pass) events() []view.Event {
	if len(p.target.following) > 0 {
		p.target.lately = p.seenEvents()
	}
	return p.target.lately
}

func (p *Pass) seenEvents() (all []view.Event) {
	for _, entry := range p.target.held.saved.Inventory {
		if !isStaged(entry.ID) {
			continue
		}
		for _, w := range p.site.observer.Warnings(rollout.ID(entry.ID)) {
			all = append(all, view.Event{
				At: w.At, Object: apply.ID(w.About).String(), Reason: p.shownText(w.Reason), Message: p.shownText(w.Message), Warning: true,
			})
		}
	}
	slices.SortFunc(all, func(a, b view.Event) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Message, b.Message))
	})
	return all[:min(len(all), mostEvents)]
}
