package view

import "time"

// History is what happened to an application, by what its agents signed.
type History struct {
	Application string     `json:"application"`
	Releases    []Past     `json:"releases"` // of all environments, the newest first
	Metrics     []Delivery `json:"metrics"`  // by environment, the oldest period first
	// NotCounted are lines whose signature decides nothing.
	NotCounted []NotCounted `json:"notCounted,omitempty"`
	// Stale is why newer lines may be missing.
	Stale string `json:"stale,omitempty"`
}

// Past is one release in one environment.
type Past struct {
	Key
	Release
	Phase   string    `json:"phase"` // the last one
	Reason  string    `json:"reason,omitempty"`
	Ended   time.Time `json:"ended,omitzero"`
	Seconds float64   `json:"seconds,omitempty"`
	// Live: it is what serves now.
	Live     bool    `json:"live,omitempty"`
	Standing string  `json:"standing"`
	Agent    string  `json:"agent,omitempty"`
	Cluster  string  `json:"cluster,omitempty"`
	Phases   []Phase `json:"phases"`
	Merged   *Merged `json:"merged,omitempty"`
}

// Merged is who merged what brought a release, as its commit says it. One of them may be missing.
type Merged struct {
	By      string `json:"by,omitempty"`
	Request int    `json:"request,omitempty"` // its number at the forge
}

// Phase is one line of a release.
type Phase struct {
	Phase   string    `json:"phase"`
	At      time.Time `json:"at"`
	Reason  string    `json:"reason,omitempty"`
	Stage   int       `json:"stage,omitempty"`
	Stages  int       `json:"stages,omitempty"`
	Seconds float64   `json:"seconds,omitempty"` // until the next one
	// What the line rests on, in sentences, and the last words of pods that the release failed by.
	Evidence []string `json:"evidence,omitempty"`
	Pods     []Words  `json:"pods,omitempty"`
}

// Words are what a failing pod said last.
type Words struct {
	Pod       string   `json:"pod"`
	Container string   `json:"container,omitempty"`
	Reason    string   `json:"reason"`
	Lines     []string `json:"lines,omitempty"`
}

// Delivery says how one environment was delivered to in one period. See record.Metrics for what counts.
type Delivery struct {
	Environment    string    `json:"environment"`
	From           time.Time `json:"from"`
	To             time.Time `json:"to"`
	Deployments    int       `json:"deployments"`
	Failures       int       `json:"failures"`
	Changes        int       `json:"changes"`
	LeadSeconds    float64   `json:"leadSeconds,omitempty"`
	RestoreSeconds float64   `json:"restoreSeconds,omitempty"`
}

// NotCounted is a line that decides nothing, and why.
type NotCounted struct {
	Environment string    `json:"environment"`
	Revision    string    `json:"revision"`
	Phase       string    `json:"phase,omitempty"`
	At          time.Time `json:"at,omitzero"`
	Standing    string    `json:"standing"`
	Detail      string    `json:"detail"`
}
