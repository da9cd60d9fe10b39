package config

import (
	"path"
	"time"

	"github.com/sluice-cd/sluice/render/worker"
)

// Every default of the three files stands here.
const (
	// defaultStateNamespace is the namespace that examples/install creates.
	defaultStateNamespace = "sluice-system"
	// defaultDataDir is where examples/install mounts the cache volume.
	defaultDataDir = "/var/lib/sluice"
	// defaultListen is loopback: what the metrics say is for those whom the platform team lets in.
	defaultListen = "127.0.0.1:8080"
	// DefaultDashboard is loopback as well: kubectl port-forward leads there.
	DefaultDashboard = "127.0.0.1:8090"
	// defaultConcurrency: a pass is nearly all waiting for API requests. 16 passes of some 5 requests of 10 ms
	// each are 320 passes a second, a thousand applications in 3 s; 64 KiB of stack and objects each is 1 MiB.
	defaultConcurrency = 16
	// defaultRenderMemory and defaultRenderTime are those of package worker: twenty times, and a hundred times, what the
	// largest public charts take.
	defaultRenderMemory Size = worker.DefaultMemory
	defaultRenderTime        = worker.DefaultTime
	// defaultAudit: twice a day. 100 applications of 5 objects make 500 dry-runs in 43,200 s, one every 86 s.
	defaultAudit = 12 * time.Hour
	// defaultBranch is what Git and the forges call it.
	defaultBranch = "main"
	// defaultInterval: 2 requests a minute; 475 bytes each are 1.4 MB a day. 50 repositories on one host make
	// 6,000 requests an hour, which no forge limits for Git over HTTP.
	defaultInterval = 30 * time.Second
	// defaultTimeZone leaves nothing to where the agent runs.
	defaultTimeZone = "UTC"
	// defaultPushInterval gathers the lines of one second, 60 pushes a minute at most: right for a server of
	// one's own. A forge that counts pushes has a rule of its own, see Repository.CountsPushes.
	defaultPushInterval = time.Second
	// defaultPruneLimit: half. Of 12 objects 6 may go unasked; 10 of 12 (83%) are held.
	defaultPruneLimit Percent = 50
)

// setDefault sets a value that was not said.
func setDefault[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// defaultAgent fills in what agent.yaml left out.
func defaultAgent(a *Agent) {
	setDefault(&a.StateNamespace, defaultStateNamespace)
	setDefault(&a.DataDir, defaultDataDir)
	setDefault(&a.Listen, defaultListen)
	setDefault(&a.Dashboard.Listen, DefaultDashboard)
	defaultAccess(a.Dashboard.Access)
	setDefault(&a.Concurrency, defaultConcurrency)
	setDefault(&a.Render.Memory, defaultRenderMemory)
	setDefault(&a.Render.Time, Duration(defaultRenderTime))
	setDefault(&a.Audit, Duration(defaultAudit))
	for i := range a.Repositories {
		defaultRepository(&a.Repositories[i])
	}
	for i := range a.Permissions {
		p := &a.Permissions[i]
		p.Environments = orAll(p.Environments)
		p.Kinds.Allow = orAll(p.Kinds.Allow)
	}
	for i := range a.Providers {
		defaultProvider(&a.Providers[i])
	}
	for i := range a.Charts {
		a.Charts[i].Applications = orAll(a.Charts[i].Applications)
	}
	for i := range a.Windows {
		w := &a.Windows[i]
		w.Applications, w.Environments = orAll(w.Applications), orAll(w.Environments)
		setDefault(&w.TimeZone, defaultTimeZone)
	}
	for i := range a.Keys {
		a.Keys[i].Environments = orAll(a.Keys[i].Environments)
	}
}

// orAll is the list, or the glob that matches everything where none was given.
func orAll(globs []string) []string {
	if globs == nil {
		return []string{"*"}
	}
	return globs
}

func defaultRepository(r *Repository) {
	setDefault(&r.Branch, defaultBranch)
	if r.Applications == nil {
		setDefault(&r.Path, ".")
	} else if r.Applications.Path != "" {
		r.Applications.Path = path.Clean(r.Applications.Path)
	}
	if r.Path != "" {
		r.Path = path.Clean(r.Path)
	}
	defaultPoll(&r.Poll)
	if l := r.WriteBack.Ledger; l != nil {
		setDefault(&l.Branch, defaultBranch)
		defaultPoll(&l.Poll)
	}
	setDefault(&r.WriteBack.Notes, new(true))
	setDefault(&r.WriteBack.Promote, new(true))
	if !r.Ledger().CountsPushes() {
		setDefault(&r.WriteBack.Interval, Duration(defaultPushInterval))
	}
}

func defaultPoll(p *Poll) {
	if p.Cron == "" {
		setDefault(&p.Interval, Duration(defaultInterval))
	} else {
		setDefault(&p.TimeZone, defaultTimeZone)
	}
}

// defaultApplication fills in what sluice.yaml left out.
func defaultApplication(a *Application) {
	for i := range a.Environments {
		e := &a.Environments[i]
		setDefault(&e.State, Present)
		setDefault(&e.Drift.Mode, RepairDrift)
		setDefault(&e.Prune.Limit, defaultPruneLimit)
		defaultWindows(e.Windows)
		defaultPromotion(e.Promotion)
		defaultRollout(&e.Rollout)
	}
}
