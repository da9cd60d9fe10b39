package view

import "time"

// Canary is a staged release under way.
type Canary struct {
	// Stage counts from 1 to Stages, one more while the release finishes; 0: what would change is found out.
	Stage  int    `json:"stage"`
	Stages int    `json:"stages"`
	Form   string `json:"form,omitempty"` // hold, finish, abort, return and others
	// Due is when time alone lets the stage end, or fail.
	Due     time.Time `json:"due,omitzero"`
	Began   time.Time `json:"began,omitzero"` // of the stage
	Waits   string    `json:"waits,omitempty"`
	Approve int       `json:"approve,omitempty"` // the stage that a person's word is waited for; 0: none
	// Weight is the share of traffic that the new pods get, in percent, where a route says so; nil: pods are the weight.
	Weight    *int       `json:"weight,omitempty"`
	Plan      []Stage    `json:"plan,omitempty"`
	Workloads []Workload `json:"workloads,omitempty"`
	Analyses  []Analysis `json:"analyses,omitempty"`
}

// Stage is one that is planned.
type Stage struct {
	Number int    `json:"number"`
	Text   string `json:"text"` // "25% for 5m", "1 instance until approved"
}

// Workload counts the pods of a staged workload that are not being deleted.
type Workload struct {
	Object      string `json:"object"`
	Replicas    int    `json:"replicas"`
	Want        int    `json:"want"` // new pods of the stage
	New         int    `json:"new"`
	NewReady    int    `json:"newReady"`
	Proven      int    `json:"proven"`
	ProvenReady int    `json:"provenReady"`
}

// Analysis is what one analysis measured in the stage.
type Analysis struct {
	Name string   `json:"name"`
	Min  *float64 `json:"min,omitempty"`
	Max  *float64 `json:"max,omitempty"`
	// Compare is how the canary is set beside the stable pods: ratio or difference; empty: it is not.
	Compare string   `json:"compare,omitempty"`
	Taken   int      `json:"taken"`
	Good    int      `json:"good"`
	Bad     int      `json:"bad"`
	Says    string   `json:"says,omitempty"` // the last sample, beside its threshold
	Samples []Sample `json:"samples,omitempty"`
}

// Sample is one measured value.
type Sample struct {
	At    time.Time `json:"at"`
	Value *float64  `json:"value,omitempty"` // nil: there was none
	Bad   bool      `json:"bad,omitempty"`
}
