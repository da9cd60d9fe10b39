package policies

import "time"

// Phase is where a release stands. Its values are shown to people and written into notes; a reader shows one that it
// does not know as it stands.
type Phase string

// The phases of a release. Healthy, Failed, RolledBack and Superseded close it; Blocked belongs to a revision
// that no release could be made of.
const (
	Pending     Phase = "Pending"
	Blocked     Phase = "Blocked"
	Progressing Phase = "Progressing"
	Holding     Phase = "Holding"
	Promoting   Phase = "Promoting"
	Healthy     Phase = "Healthy"
	Failed      Phase = "Failed"
	RolledBack  Phase = "RolledBack"
	Superseded  Phase = "Superseded"
)

// Closing reports whether the phase ends the story of a release that was applied. Blocked does not: nothing was
// applied, and the release may still begin.
func (p Phase) Closing() bool { return p.Decides() || p == Superseded }

// Decides reports whether somebody may be waiting for the word: it proves a release, or takes a proof away.
func (p Phase) Decides() bool { return p == Healthy || p == Failed || p == RolledBack }

// Release is one revision in one environment. The zero value is no release.
type Release struct {
	// Revision is the commit that was rendered; Trigger the commit that brought it.
	Revision string `json:"revision,omitempty"`
	Trigger  string `json:"trigger,omitempty"`
	// Inputs is the hash of what the render read, Digest that of what it gave.
	Inputs string `json:"inputs,omitempty"`
	Digest string `json:"digest,omitempty"`
}

// Same reports whether two releases are the same: their inputs or their digests are equal. No release is the
// same as none.
func (r Release) Same(o Release) bool {
	return r.Inputs != "" && r.Inputs == o.Inputs || r.Digest != "" && r.Digest == o.Digest
}

// State is what is remembered of an environment. It is plain data and is saved before its effects are
// carried out. The zero value is an environment in which nothing was ever released.
type State struct {
	// Release is in flight, or was the last to be closed.
	Release Release `json:"release,omitzero"`
	// Phase of Release. Empty if and only if Release is zero.
	Phase  Phase  `json:"phase,omitempty"`
	Reason string `json:"reason,omitempty"`
	// Applied: every object of Release was sent and accepted. Healthy implies Applied.
	Applied bool `json:"applied,omitempty"`
	// Slow: Git was told that Release takes long.
	Slow bool `json:"slow,omitempty"`
	// Began is when Release began, Since when Phase did.
	Began time.Time `json:"began,omitzero"`
	Since time.Time `json:"since,omitzero"`
	// Proven is the last release that was Healthy.
	Proven Release `json:"proven,omitzero"`
	// Sequence are the last releases that were proven here, each once, the newest first; Proven is among them, but not the
	// first after a roll-back. See [State.Leaves].
	Sequence []Proof `json:"sequence,omitempty"`
	// Quarantined are the last releases that failed here and were taken back, by their triggers.
	Quarantined []Release `json:"quarantined,omitempty"`
	// Refused is the last revision that no release could be made of, and why; zero when the present one is fine.
	Refused Refusal `json:"refused,omitzero"`
	// Waiting is a release that may not begin yet; zero: none.
	Waiting Waiting `json:"waiting,omitzero"`
	// Overridden is by whose word Release began, or went on, while windows were closed; empty: by nobody's.
	Overridden string `json:"overridden,omitempty"`
	// Held says why stale objects are not pruned.
	Held string `json:"held,omitempty"`
	// Scene is kept of the last release that failed in its stages.
	Scene Scene `json:"scene,omitzero"`
	// Soak is how long Release was well since it was proven.
	Soak Soak `json:"soak,omitzero"`
	// Hooking is where Release stands with its hooks.
	Hooking Hooking `json:"hooking,omitzero"`
	Staging
}

// Live is the release whose objects are sent: Release, or the proven one where it was taken back.
func (s State) Live() Release {
	if s.Back {
		return s.Proven
	}
	return s.Release
}

// Refusal is why no release could be made of a revision.
type Refusal struct {
	Revision string `json:"revision,omitempty"`
	Trigger  string `json:"trigger,omitempty"`
	Reason   string `json:"reason,omitempty"`
}

// Plan is what Git asks for, rendered and guarded.
type Plan struct {
	// Release is asked for. Zero where Refused says why there is none, or where Git cannot be asked at present.
	Release Release
	Refused Refusal
	// Paused: nothing may be changed. Absent: everything is to be deleted.
	Paused bool
	Absent bool
	// PruneLimit is the share in per cent that may be pruned without Permit. 1..100.
	PruneLimit int
	// Permit is the revision for which a person allowed a prune of any size.
	Permit string
	// Repair: drift is undone, and not only reported.
	Repair bool
	// Idle: nobody may be acted as, so what the rules say of stages is not known either; stages stand still.
	Idle bool
	// TakesBack: a release that fails without being staged is taken back too.
	TakesBack bool
	// Told is by whose word, beside Git's, Release is asked for; empty: by Git's alone.
	Told string
	// Reach is how many of the last proven releases can be rolled back to; 0: 10.
	Reach int
	// Adopts: what others made may be taken over, so pods may run already when the first release begins.
	Adopts bool
	// Canary says how a release is staged; nil: not at all.
	Canary *Canary
	// Approved lets a stage of a release begin.
	Approved Approval
	// Windows say when changes may begin, none: at any time; and Override lets them begin all the same.
	Windows  []Window
	Override Override
	// Soaks are how long others wait for a proven release to be well, before it goes on to them.
	Soaks []time.Duration
	// Hooks are those of Release, or where Absent those of the live release. Tests: its tests must pass before it is proven.
	Hooks Hooks
	Tests bool
	// Known: the release was the last to be proven here, and the state that said so is lost. Windows do not keep it away.
	Known bool
}

// Approval is a person's word for one stage of one release.
type Approval struct {
	Revision string
	Stage    int // from 1
}

// ApplyResult is what became of the last Apply effect for the release in the state.
type ApplyResult string

// The results of an apply.
const (
	NotApplied   ApplyResult = ""        // none was tried, or it did not end
	ApplyLater   ApplyResult = "later"   // definitions were applied, the rest waits for them
	ApplyDone    ApplyResult = "done"    // every object was accepted
	ApplyRefused ApplyResult = "refused" // the API server refused objects; the same again would be refused again
)

// HealthStatus is the health of an environment's objects taken together.
type HealthStatus string

// The health of all objects: the worst of them.
const (
	Unknown    HealthStatus = "Unknown"
	Current    HealthStatus = "Current"
	InProgress HealthStatus = "InProgress"
	Degraded   HealthStatus = "Failed"
)

// Observation is what is seen. Now is the only time that Step knows.
type Observation struct {
	Now         time.Time
	Apply       ApplyResult
	ApplyReason string
	// Health and HealthReason are those of the objects of the release in the state.
	Health       HealthStatus
	HealthReason string
	// Stale counts objects that we own and Git no longer has; Owned counts all that we own.
	Stale int
	Owned int
	// Drifted counts objects whose live fields differ from what was applied.
	Drifted int
	// Assessed: Changed are the workloads whose pods the release in the state would replace, and Plain those that keep plain
	// names of what they read.
	Assessed bool
	Changed  []Staged
	Plain    []string
	// Workloads are those of [State.Staged], in that order.
	Workloads []Workload
	Scene     SceneSeen
	// Samples are the newest of each analysis. One that was counted already is not counted again.
	Samples []Sample
	// Traffic is what is seen of [State.Split].
	Traffic Routing
	// Hook is the one that is due in the state. Hooks counts the objects of hooks that are there still.
	Hook  HookSeen
	Hooks int
	// Runs: objects of the first release are there already, made by others.
	Runs bool
	// Watched is since when somebody has looked without a break.
	Watched time.Time
}
