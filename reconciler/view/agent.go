package view

import "time"

// Agent is what is shown of an agent itself.
type Agent struct {
	Name         string       `json:"name"`
	Version      string       `json:"version,omitempty"`
	Started      time.Time    `json:"started,omitzero"`
	Queue        int          `json:"queue"` // environments that wait for a pass
	Repositories []Repository `json:"repositories,omitempty"`
	Clusters     []Cluster    `json:"clusters,omitempty"`
	Windows      []Window     `json:"windows,omitempty"` // the next ones, the soonest first
	// Faults are what is wrong with files in Git, each with the file and the field.
	Faults []string `json:"faults,omitempty"`
}

// Repository is one that is polled.
type Repository struct {
	Name    string    `json:"name"`
	URL     string    `json:"url"` // without user and password
	Branch  string    `json:"branch,omitempty"`
	Tip     string    `json:"tip,omitempty"`
	Fetched time.Time `json:"fetched,omitzero"` // when it answered last
	Error   string    `json:"error,omitempty"`  // of the last poll; empty: it was answered
	Failing time.Time `json:"failing,omitzero"` // since when it does not answer
}

// Cluster is one that is written to.
type Cluster struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitempty"`
	Ready   bool      `json:"ready"`
	Error   string    `json:"error,omitempty"`
	Since   time.Time `json:"since,omitzero"` // of Ready being what it is
}

// Window is a time in which changes may begin, or may not.
type Window struct {
	Key
	Allow  bool      `json:"allow"`
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Text   string    `json:"text"` // as the file has it
	Reason string    `json:"reason,omitempty"`
}
