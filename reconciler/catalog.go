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
	keys    map[Key]bool            // at the last update
	formers map[Key][]Key           // the earlier names of a key, as far as nobody has them again
	heirs   map[Key]Key             // the present name of an earlier one
}

// place is an application at the tip of a repository.
type place struct {
	source *source
	snap   *snapshot
	ledger *snapshot // that has its release files: snap itself, or that of another repository
	discovered
}

// update reads the snapshots again. It returns every key that an agent serving these environments has, and those that
// it had before. The lock is held from the first snapshot that is read, lest an older look replace a newer one.
func (c *catalog) update(served func(string) bool) (keys, gone []Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.keys
	c.places, c.keys, c.clashes = map[string][]place{}, map[Key]bool{}, map[string]config.Clash{}
	var uses []config.Use
	for _, at := range c.discovered() {
		name := at.app.Metadata.Name
		c.places[name] = append(c.places[name], at)
		uses = append(uses, at.use())
		for _, env := range at.app.Environments {
			if key := (Key{name, env.Name}); served(env.Name) && !c.keys[key] {
				c.keys[key] = true
				keys = append(keys, key)
			}
		}
	}
	for _, clash := range c.rules.ClashingNames(uses) {
		c.clashes[clash.Application] = clash
	}
	c.inherit()
	for key := range before {
		if !c.keys[key] {
			gone = append(gone, key)
		}
	}
	return keys, gone
}

// inherit notes which earlier names lead to which key. A name that somebody has again is not among them: what belongs
// to it is not to be taken over.
func (c *catalog) inherit() {
	c.formers, c.heirs = map[Key][]Key{}, map[Key]Key{}
	for key := range c.keys {
		at := c.places[key.Application][0]
		env, _ := at.app.Environment(key.Environment)
		for _, app := range append([]string{key.Application}, at.app.Was...) {
			for _, name := range append([]string{key.Environment}, env.Was...) {
				if was := (Key{app, name}); !c.keys[was] {
					c.formers[key] = append(c.formers[key], was)
					c.heirs[was] = key
				}
			}
		}
	}
}

// discovered are the applications of all repositories. One whose file is broken is known by the name that it had, unless
// another has that name by now.
func (c *catalog) discovered() []place {
	var sound, broken []place
	names := map[string]bool{}
	for _, src := range c.sources {
		said, ok := src.at()
		if !ok {
			continue
		}
		for _, found := range said.snap.apps {
			at := said
			at.discovered = found
			switch {
			case speechless(found.app):
			case found.broken:
				broken = append(broken, at)
			default:
				sound = append(sound, at)
				names[found.app.Metadata.Name] = true
			}
		}
	}
	return append(sound, slices.DeleteFunc(broken, func(at place) bool { return names[at.app.Metadata.Name] })...)
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

// by returns what the repository with this address says at present; false where there is none, or it says nothing.
func (c *catalog) by(url string) (place, bool) {
	i := slices.IndexFunc(c.sources, func(s *source) bool { return s.repo.URL == url })
	if i < 0 {
		return place{}, false
	}
	return c.sources[i].at()
}

// former returns the keys that an environment had under earlier names.
func (c *catalog) former(k Key) []Key {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.formers[k]
}

// heir returns the key that an earlier name belongs to now.
func (c *catalog) heir(k Key) (Key, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	heir, ok := c.heirs[k]
	return heir, ok
}

func (p place) use() config.Use {
	return config.Use{Repository: p.source.repo.Name, Dir: p.dir, Application: p.app.Metadata.Name}
}
