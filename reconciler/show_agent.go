package reconciler

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// agentAt is what is shown of the agent itself.
func (v *View) agentAt(now time.Time) view.Agent {
	a := v.agent
	made := view.Agent{
		Name: a.name, Version: a.version, Started: v.started, Queue: a.queue.Len(), Windows: slices.Clone(v.windowsAt(now)), Faults: v.faults(),
	}
	for _, src := range a.polled() {
		at := src.contact.stands()
		shown := view.Repository{
			Name: src.repo.Name, URL: src.git.URL(), Branch: src.repo.Branch, Fetched: at.answered, Error: at.fault, Failing: at.failing,
		}
		if snap := src.now.Load(); snap != nil {
			shown.Tip = snap.tip
		}
		made.Repositories = append(made.Repositories, shown)
	}
	for _, s := range a.sites {
		made.Clusters = append(made.Clusters, s.shown())
	}
	slices.SortFunc(made.Clusters, func(a, b view.Cluster) int { return cmp.Compare(a.Name, b.Name) })
	return made
}

// shown is what is shown of a cluster.
func (s *site) shown() view.Cluster {
	at := s.contact.stands()
	s.mu.Lock()
	defer s.mu.Unlock()
	made := view.Cluster{Name: s.name, Ready: s.isReady && at.failing.IsZero(), Error: at.fault, Since: s.readySince}
	if s.isReady { // before that it is not settled
		made.Version = s.shape.KubeVersion
	}
	if !at.failing.IsZero() && (made.Since.IsZero() || s.isReady) {
		made.Since = at.failing
	}
	return made
}

// Whom nothing new is heard of, as they are found among the lost.
const (
	lostRepository = "repository "
	lostCluster    = "cluster "
)

// lost says why what is known of a cluster's environments, or a repository's, may be otherwise by now.
func (v *View) lost() map[string]string {
	lost := map[string]string{}
	say := func(whom, what string, at standing) {
		lost[whom] = fmt.Sprintf("%s does not answer since %s: %s", what, at.failing.UTC().Format(time.DateTime+" MST"), at.fault)
	}
	for _, src := range v.agent.catalog.sources {
		for _, of := range []*source{src.ledger, src} {
			if at := of.contact.stands(); at.lost {
				say(lostRepository+src.repo.Name, "the repository "+of.repo.Name, at)
			}
		}
	}
	for _, s := range v.agent.sites {
		switch at := s.contact.stands(); {
		case at.lost:
			say(lostCluster+s.name, "the cluster "+s.name, at)
		case !s.ready():
			lost[lostCluster+s.name] = "the cluster " + s.name + " was not reached yet"
		}
	}
	return lost
}

// faults are what is wrong with files in Git, and with the names in them.
func (v *View) faults() []string {
	var all []string
	for _, src := range v.agent.catalog.sources {
		snap := src.now.Load()
		if snap == nil {
			continue
		}
		for _, found := range snap.apps {
			for _, fault := range found.faults {
				all = append(all, oneLine(src.repo.Name+": "+fault.Error()))
			}
		}
	}
	for _, clash := range v.agent.catalog.allClashes() {
		all = append(all, oneLine(clash.Error()))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// all are the applications of all repositories, by name, but for those that nobody may have.
func (c *catalog) all() map[string]place {
	c.mu.RLock()
	names := slices.Collect(maps.Keys(c.places))
	c.mu.RUnlock()
	all := make(map[string]place, len(names))
	for _, name := range names {
		if at, err := c.find(name); err == nil {
			all[name] = at
		}
	}
	return all
}

func (c *catalog) allClashes() []config.Clash {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.clashes))
}

// tips are what all repositories say at present.
func (c *catalog) tips() (tips string) {
	for _, src := range c.sources {
		if at, ok := src.at(); ok {
			tips += at.tips() + "\n"
		}
	}
	return tips
}
