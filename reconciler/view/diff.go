package view

// Side is one of two releases that are compared.
type Side struct {
	Key
	Revision string `json:"revision"`
}

// Diff is how the objects of two releases differ.
type Diff struct {
	From Side `json:"from"`
	To   Side `json:"to"`
	// Failed is why there is nothing to compare: one of them does not render any more.
	Failed  string       `json:"failed,omitempty"`
	Created []DiffObject `json:"created,omitempty"`
	Changed []DiffObject `json:"changed,omitempty"`
	Deleted []DiffObject `json:"deleted,omitempty"`
}

// DiffObject is an object that differs, with its fields as they are printed, each line one of " ", "-", "+", "~" first.
type DiffObject struct {
	Object   string   `json:"object"`
	Restarts string   `json:"restarts,omitempty"` // whose pods would be replaced, and why
	Lines    []string `json:"lines,omitempty"`
}
