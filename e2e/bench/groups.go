package main

import "slices"

// largeName marks the figures of the large monorepo, which has five times as many applications: 500 where the small one
// has its 100. agent500-cold-applied, floor500-bare-cpu.
const largeName = "500"

// group is figures that are measured together.
type group struct {
	figures []string
	run     func(*ground)
	floors  bool // compares with the floors
	agent   bool // wants every application deployed
}

// smallGroups are measured one after the other on one cluster; the last leaves the agent with another configuration.
func smallGroups(size string) []group {
	return []group{
		floors(size),
		cold(size),
		{figures: names("agent-one", "latency", "latency-worst", "cpu", "requests", "others-rendered", "others-requests"),
			run: (*ground).one, agent: true},
		{figures: names("agent-drift", "edited", "edited-worst", "edited-requests", "deleted", "deleted-worst", "deleted-requests"),
			run: (*ground).drift, agent: true},
		{figures: slices.Concat(names("agent-all", "applied", "available", "cpu", "requests-per-object", "applied-bare", "available-bare"),
			names("floor-all", "dryrun-applied", "dryrun-available", "bare-applied", "bare-available")),
			run: (*ground).all, floors: true, agent: true},
		{figures: slices.Concat(names("agent-canary", "available", "cpu-per-stage", "requests-per-stage", "memory"),
			names("agent-rollback", "decided", "decided-worst", "controller", "controller-worst", "requests", "requests-before",
				"route", "route-worst", "route-pods", "route-pods-worst"),
			[]string{"floor-round-trip", "floor-round-trip-worst"}, revertFigures()),
			run: (*ground).canary, agent: true},
		{figures: names("agent-forced", "time", "cpu", "requests"), run: (*ground).forced, agent: true},
		{figures: names("agent-idle", "cpu", "requests", "upkeep"), run: (*ground).idle, agent: true},
	}
}

func largeGroups() []group {
	c := cold(largeName)
	c.figures = append(c.figures, names("agent"+largeName, "cold-applied-growth", "cold-available-growth", "cold-cpu-growth")...)
	return []group{floors(largeName), c}
}

func floors(size string) group {
	return group{figures: names("floor"+size, "bare-applied", "bare-available", "bare-cpu", "dryrun-applied",
		"dryrun-available", "dryrun-cpu"), floors: true, run: func(*ground) {}}
}

func cold(size string) group {
	return group{figures: names("agent"+size+"-cold", "applied", "available", "applied-bare", "available-bare", "cpu",
		"requests-per-object", "memory", "recorded"), floors: true, agent: true, run: func(*ground) {}}
}

// revertFigures are those of reverts, each with its worst.
func revertFigures() (all []string) {
	for _, name := range slices.Concat(names("agent-revert-mid", "decided", "controller", "alone"),
		names("agent-revert-complete", "decided", "controller", "alone"), names("floor-revert", "mid-poll", "complete-poll", "wave")) {
		all = append(all, name, name+"-worst")
	}
	return all
}

func names(prefix string, of ...string) []string {
	var out []string
	for _, name := range of {
		out = append(out, prefix+"-"+name)
	}
	return out
}

func needs(r *report, groups []group) bool {
	return slices.ContainsFunc(groups, func(g group) bool { return r.wants(g.figures...) })
}

// measureGround lays a ground and runs on it what is wanted; floors and first deployment only where something needs
// them.
func measureGround(b *bed, r *report, o options, size string, applications int, groups []group) {
	groups = slices.DeleteFunc(groups, func(g group) bool { return !r.wants(g.figures...) })
	some := func(of func(group) bool) bool { return slices.ContainsFunc(groups, of) }
	g := layGround(b, r, o, size, applications)
	if some(func(g group) bool { return g.floors }) {
		g.floors()
	}
	if some(func(g group) bool { return g.agent }) {
		g.cold()
	}
	for _, group := range groups {
		group.run(g)
	}
}
