package view

import "time"

// Origin is where a board comes from.
type Origin string

// The origins.
const (
	FromAgent Origin = "agent" // an agent that watches clusters: what it says is so now
	FromNotes Origin = "notes" // Git alone: what it says was reported last
)

// Board is everything at one moment.
type Board struct {
	At     time.Time `json:"at"`
	Origin Origin    `json:"origin"`
	Cells  []Cell    `json:"cells"` // sorted by application, then by their place in its pipeline
	Agent  Agent     `json:"agent"`
	// Stale is why all of it may be otherwise by now, as that the agent does not answer since some time; empty: it is so.
	Stale string `json:"stale,omitempty"`
}

// Health is how the objects of an environment are, all together.
type Health string

// The healths. The empty one is not known.
const (
	Well     Health = "Current"    // all are as they should be
	Changing Health = "InProgress" // some are on their way
	Sick     Health = "Degraded"   // some are not well
	Unseen   Health = "Unknown"    // the cluster was not asked yet
)

// Cell is an application in one environment.
type Cell struct {
	Key
	Repository string            `json:"repository"` // its name in agent.yaml
	Labels     map[string]string `json:"labels,omitempty"`
	Namespace  string            `json:"namespace,omitempty"`
	Cluster    string            `json:"cluster,omitempty"`
	// Place is its column in the application's pipeline: 0 for one that is promoted from nowhere, else one more than the
	// last that it is promoted from.
	Place     int        `json:"place"`
	Promotion *Promotion `json:"promotion,omitempty"`

	// Phase of the release, and Reason why it is not simply well; of one line.
	Phase  string `json:"phase,omitempty"`
	Reason string `json:"reason,omitempty"`
	Health Health `json:"health,omitempty"`
	// Verdict is how the last pass ended: ready, wait, stall, retry or superseded.
	Verdict string `json:"verdict,omitempty"`
	Paused  bool   `json:"paused,omitempty"`

	Release Release `json:"release,omitzero"`
	// Proven is the release that serves, where Release is not proven; nil: Release is, or none.
	Proven *Release `json:"proven,omitempty"`
	// Next is what Git asks for and may not begin yet.
	Next *Next `json:"next,omitempty"`
	// Behind is how far it is from the environment that it is promoted from, or the branch; nil: not known.
	Behind *Behind `json:"behind,omitempty"`
	// Requests are the merge requests that wait for a person.
	Requests []Request `json:"requests,omitempty"`
	// Canary is where a staged release stands; nil: none is under way.
	Canary *Canary `json:"canary,omitempty"`

	Objects int       `json:"objects,omitempty"`
	NotWell []Fault   `json:"notWell,omitempty"`
	Drifted []string  `json:"drifted,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of Phase
	At      time.Time `json:"at,omitzero"`    // when all this was looked at last
	// Stale is why it may be otherwise by now, as that the cluster is away since some time; empty: it is so.
	Stale string `json:"stale,omitempty"`
	// Standing is what the signature of the line is worth that this was read from; empty from an agent itself.
	Standing string `json:"standing,omitempty"`
	// Steps are the phases of the last pass.
	Steps []Step `json:"steps,omitempty"`
	// Events are the warnings that the cluster told of its objects during the last release, the newest first.
	Events []Event `json:"events,omitempty"`
	// Help is the command or the address by which a person makes it go on.
	Help *Help `json:"help,omitempty"`
}

// IsWell reports whether nobody has to look: it is proven, well, as Git says, and not waiting for a person.
func (c Cell) IsWell() bool {
	seen := c.Stale == "" && c.Verdict != "retry" && (c.Standing == "" || c.Standing == "verified")
	return seen && c.Phase == "Healthy" && (c.Health == Well || c.Health == "") && c.Reason == "" && len(c.Drifted) == 0
}

// Release is a revision as it is shown.
type Release struct {
	Revision string    `json:"revision"`
	Trigger  string    `json:"trigger,omitempty"` // the commit that brought it, where that is another
	Digest   string    `json:"digest,omitempty"`
	Version  string    `json:"version,omitempty"` // what its objects call themselves
	Subject  string    `json:"subject,omitempty"` // of the trigger
	Author   string    `json:"author,omitempty"`
	Began    time.Time `json:"began,omitzero"`
}

// Promotion says where releases of an environment come from.
type Promotion struct {
	From []string `json:"from"`
	By   string   `json:"by"`
	// When says in words what is waited for: "healthy for 30m", "checks ci/build", "at 0 9 * * 1-5 Europe/Berlin".
	When []string `json:"when,omitempty"`
}

// Next is a release that waits for its beginning.
type Next struct {
	Revision string    `json:"revision"`
	Reason   string    `json:"reason,omitempty"`
	Opens    time.Time `json:"opens,omitzero"` // when a window lets it begin
}

// Behind is how far an environment is from what it may have next.
type Behind struct {
	Of      string `json:"of"`
	Commits int    `json:"commits"`
	AtLeast bool   `json:"atLeast,omitempty"`
}

// Request is a merge request, or a branch where there is no forge.
type Request struct {
	Kind     string    `json:"kind"` // promotion or revert
	URL      string    `json:"url,omitempty"`
	Branch   string    `json:"branch,omitempty"`
	Revision string    `json:"revision,omitempty"` // that it asks for
	Due      bool      `json:"due"`                // nothing but a person is waited for
	Reason   string    `json:"reason,omitempty"`   // what is waited for
	Until    time.Time `json:"until,omitzero"`     // when that is looked at again
}

// Fault is an object that is not well, and why.
type Fault struct {
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// Event is what the cluster told of an object.
type Event struct {
	At      time.Time `json:"at"` // the last time
	Object  string    `json:"object"`
	Reason  string    `json:"reason"`
	Message string    `json:"message,omitempty"`
	Times   int       `json:"times,omitempty"`
	Warning bool      `json:"warning,omitempty"`
}

// Step is a part of a pass, and how long it took.
type Step struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// Help is how a person makes something go on.
type Help struct {
	What    string `json:"what"`              // "approve stage 2"
	Command string `json:"command,omitempty"` // to be run where the repository is
	URL     string `json:"url,omitempty"`
}
