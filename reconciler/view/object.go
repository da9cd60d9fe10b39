package view

import "time"

// Object is one of an environment's, or one that a controller made of it.
type Object struct {
	ID        string `json:"id"` // Kind/namespace/name, or Kind.group/namespace/name: unique in the environment
	Parent    string `json:"parent,omitempty"`
	Group     string `json:"group,omitempty"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Health is a word of kstatus: Current, InProgress, Failed, Terminating, NotFound, Unknown.
	Health string `json:"health,omitempty"`
	Reason string `json:"reason,omitempty"`
	Drift  string `json:"drift,omitempty"` // which fields differ from Git
	Hook   string `json:"hook,omitempty"`  // when the hook runs that made it, such as pre-upgrade; empty: none did
	Pod    *Pod   `json:"pod,omitempty"`
}

// Pod is what is shown of a pod beyond any object.
type Pod struct {
	IP       string    `json:"ip,omitempty"`
	Node     string    `json:"node,omitempty"`
	Images   []string  `json:"images,omitempty"`
	Ready    bool      `json:"ready"`
	Restarts int       `json:"restarts,omitempty"`
	Created  time.Time `json:"created,omitzero"`
	// Proven: its template is the proven release's; New: that of the release under way. Neither is known at rest.
	Proven bool `json:"proven,omitempty"`
	New    bool `json:"new,omitempty"`
}
