package reconciler

import (
	"slices"
	"sync"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// catalog says where each application is: in which repository, at which snapshot. It may be used concurrently.
type catalog struct {
	mu      sync.RWMutex
	rules   *config.Agent
	sources []*source
	places  map[string][]place      // by application name
	clashes map[string]config.Clash // by application name
}

// place is an application at the tip of a repository.
type place struct {
	source *source
	snap   *snapshot
	discovered
}

// update reads the snapshots again and returns every key that an agent serving these environments has.
func (c *catalog) update(served func(string) bool) []Key {
	places := map[string][]place{}
	var keys []Key
	var uses []config.Use
	for _, src := range c.sources {
		snap := src.now.Load()
		if snap == nil {
			continue
		}
		for _, found := range snap.apps {
			if found.app == nil {
				continue
			}
			name := found.app.Metadata.Name
			at := place{source: src, snap: snap, discovered: found}
			places[name] = append(places[name], at)
			uses = append(uses, at.use())
			for _, env := range found.app.Environments {
				if served(env.Name) {
					keys = append(keys, Key{Application: name, Environment: env.Name})
				}
			}
		}
	}
	clashes := map[string]config.Clash{}
	for _, clash := range c.rules.ClashingNames(uses) {
		clashes[clash.Application] = clash
	}
	c.mu.Lock()
	c.places, c.clashes = places, clashes
	c.mu.Unlock()
	return keys
}

// find returns where an application is. Where its name clashes, the error names everybody concerned.
func (c *catalog) find(name string) (place, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	places := c.places[name]
	if clash, ok := c.clashes[name]; ok {
		places = slices.DeleteFunc(slices.Clone(places), func(p place) bool { return slices.Contains(clash.Refused, p.use()) })
		if len(places) == 0 {
			return place{}, clash
		}
	}
	if len(places) == 0 {
		return place{}, errGone
	}
	return places[0], nil
}

// former returns the keys that an environment had under earlier names.
func (c *catalog) former(k Key) []Key {
	found, err := c.find(k.Application)
	if err != nil {
		return nil
	}
	environments := []string{k.Environment}
	if env, ok := found.app.Environment(k.Environment); ok {
		environments = append(environments, env.Was...)
	}
	var former []Key
	for _, app := range append([]string{k.Application}, found.app.Was...) {
		for _, env := range environments {
			if was := (Key{app, env}); was != k {
				former = append(former, was)
			}
		}
	}
	return former
}

func (p place) use() config.Use {
	return config.Use{Repository: p.source.repo.Name, Dir: p.dir, Application: p.app.Metadata.Name}
}
