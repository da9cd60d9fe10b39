package config

import "github.com/sluice-cd/sluice/render"

// APIVersion is what every file of ours begins with.
const APIVersion = "sluice.dev/v1alpha1"

// Application is what one sluice.yaml describes: how one application is rendered and released in each of
// its environments. Its identity is (repository, name).
type Application struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"` // Application
	Metadata   Metadata `json:"metadata"`
	// Was lists earlier names of the application. Objects, state, release files and notes under them are
	// handed over to the present name.
	Was          []string      `json:"was,omitempty"`
	Environments []Environment `json:"environments"`
}

// Metadata names a document.
type Metadata struct {
	// Name is a DNS label: lower case letters, digits and '-', at most 63 characters.
	Name string `json:"name"`
}

// Environment is a named target of an application.
type Environment struct {
	// Name is a DNS label, unique in its file.
	Name string `json:"name"`
	// Was lists earlier names of the environment.
	Was []string `json:"was,omitempty"`
	// Namespace is where namespaced objects that name none of their own go. Required.
	Namespace string `json:"namespace"`
	// CreateNamespace lets the agent create Namespace when it is not there. It is never deleted.
	CreateNamespace bool `json:"createNamespace,omitempty"`
	// Follow says which revision the environment is at. The zero value follows the tip of the polled branch.
	Follow Follow `json:"follow,omitzero"`
	// Source says how the environment is rendered. Required; the only key that is read at the pinned revision.
	Source render.Source `json:"source"`
	// Labels and Annotations are put on every object, never on pod templates.
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// State is present (the default), paused (nothing is changed, drift included) or absent (all that the
	// environment owns is deleted).
	State State `json:"state,omitempty"`
	// Adopt lets objects be taken over that Helm, Flux, Argo CD, kubectl or a person made.
	Adopt bool `json:"adopt,omitempty"`
	// Drift says what happens to live fields that differ from what was applied.
	Drift Drift `json:"drift,omitzero"`
	// Prune bounds the deletion of objects that left Git.
	Prune Prune `json:"prune,omitzero"`
}

// State is what the environment's team wants of it.
type State string

// The states of an environment.
const (
	Present State = "present"
	Paused  State = "paused"
	Absent  State = "absent"
)

// Follow is which revision an environment is at: exactly one of its fields. In YAML it is the word tip or
// pin, or {branch: name}, or {tag: range}.
type Follow struct {
	// Pin: the revision that the release file names.
	Pin bool `json:"pin,omitempty"`
	// Branch: the tip of another branch of the same repository.
	Branch string `json:"branch,omitempty"`
	// Tag: the newest tag that this semantic version range allows, such as ">=1.2.0 <2".
	Tag string `json:"tag,omitempty"`
}

// Tip reports whether the tip of the polled branch is followed.
func (f Follow) Tip() bool { return f == Follow{} }

// DriftMode is what happens to drift.
type DriftMode string

// The drift modes. The default is repair.
const (
	RepairDrift DriftMode = "repair"
	ReportDrift DriftMode = "report"
	IgnoreDrift DriftMode = "ignore"
)

// Drift says what happens to live fields that differ from what was applied.
type Drift struct {
	Mode DriftMode `json:"mode,omitempty"`
	// Leave names fields that belong to somebody else: they are never sent.
	Leave []LeaveFields `json:"leave,omitempty"`
}

// LeaveFields selects fields of objects. Kind and Name may be globs; an empty Name is every name.
type LeaveFields struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
	// Fields are JSON pointers (RFC 6901), such as /spec/replicas.
	Fields []string `json:"fields"`
}

// Prune bounds the deletion of objects that left Git.
type Prune struct {
	// Limit is the share of the application's objects, in per cent, that may be pruned without a person's
	// word in the release file. Zero: 50. A prune of a single object is never held.
	Limit Percent `json:"limit,omitempty"`
	// Delete lists kinds among PersistentVolumeClaim, Namespace and CustomResourceDefinition that may be
	// deleted at all; by default none of them is.
	Delete []string `json:"delete,omitempty"`
}

// Environment returns the environment of this name.
func (a *Application) Environment(name string) (*Environment, bool) {
	for i := range a.Environments {
		if a.Environments[i].Name == name {
			return &a.Environments[i], true
		}
	}
	return nil, false
}
