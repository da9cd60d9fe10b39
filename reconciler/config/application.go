package config

import "github.com/sluice-cd/sluice/render"

// APIVersion is what every file of ours begins with, the release file excepted.
const APIVersion = "sluice.dev/v1alpha1"

// The kinds of files that have an apiVersion.
const (
	KindAgent       = "Agent"
	KindApplication = "Application"
)

// FileName is the file that makes a folder an application.
const FileName = "sluice.yaml"

// Application is what one sluice.yaml describes: how one application is rendered and released in each of
// its environments. Its identity is (repository, name).
//
// Make one with ParseApplication or Load, which set the defaults and validate it.
type Application struct {
	// APIVersion is sluice.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Application.
	Kind string `json:"kind"`
	// Metadata names the application.
	Metadata Metadata `json:"metadata"`
	// Was lists earlier names of the application. Objects, state, release files and notes under them are
	// handed over to the present name.
	Was []string `json:"was,omitempty"`
	// Environments are the targets of the application. At least one.
	Environments []Environment `json:"environments"`
}

// Metadata names a document.
type Metadata struct {
	// Name is a DNS label: lower case letters, digits and '-', at most 63 characters.
	Name string `json:"name"`
}

// Environment is a named target of an application.
type Environment struct {
	// Name is a DNS label, unique in its file. Which cluster it is, the agent's file says.
	Name string `json:"name"`
	// Was lists earlier names of the environment. Objects, state, release files and notes under them are
	// handed over to the present name.
	Was []string `json:"was,omitempty"`
	// Namespace is where namespaced objects that name none of their own go.
	Namespace string `json:"namespace"`
	// CreateNamespace lets the agent create namespace when it is not there. It is never deleted.
	CreateNamespace bool `json:"createNamespace,omitempty"`
	// Follow says which revision the environment is at: the word tip for the polled branch, the word pin for
	// the revision in releases/<environment>.yaml, {branch: name} for another branch, {tag: range} for the
	// newest tag in a range of semantic versions.
	Follow Follow `json:"follow,omitzero"`
	// Source says how the environment is rendered: exactly one of helm, kustomize and directory, or helm with a
	// kustomization that is built over the chart's objects. A list of such mappings is several sources in order;
	// an object that two of them have is an error. Paths start at the folder of sluice.yaml. It is the only key that
	// is read at a pinned revision.
	Source render.Source `json:"source"`
	// Labels are put on every object, never on pod templates.
	Labels map[string]string `json:"labels,omitempty"`
	// Annotations are put on every object, never on pod templates.
	Annotations map[string]string `json:"annotations,omitempty"`
	// State is present, paused (nothing is changed, drift included) or absent (all that the environment owns
	// is deleted).
	State State `json:"state,omitempty"`
	// Adopt lets objects be taken over that Helm, Flux, Argo CD, kubectl or a person made.
	Adopt bool `json:"adopt,omitempty"`
	// Drift says what happens to live fields that differ from what was applied.
	Drift Drift `json:"drift,omitzero"`
	// Prune bounds the deletion of objects that left Git.
	Prune Prune `json:"prune,omitzero"`
	// Windows say when changes may begin. Drift is repaired and failures are taken back at any time.
	Windows []Window `json:"windows,omitempty"`
	// Promotion says how releases come from other environments; only with follow: pin.
	Promotion *Promotion `json:"promotion,omitempty"`
	// Rollout says how a release replaces the pods of the one before it.
	Rollout Rollout `json:"rollout,omitzero"`
}

// State is what the environment's team wants of it.
type State string

// The states of an environment.
const (
	Present State = "present"
	Paused  State = "paused"
	Absent  State = "absent"
)

// DriftMode is what happens to drift.
type DriftMode string

// The drift modes.
const (
	RepairDrift DriftMode = "repair"
	ReportDrift DriftMode = "report"
	IgnoreDrift DriftMode = "ignore"
)

// Drift says what happens to live fields that differ from what was applied.
type Drift struct {
	// Mode is repair, report (say it, change nothing) or ignore.
	Mode DriftMode `json:"mode,omitempty"`
	// Leave names fields that belong to somebody else: they are never sent.
	Leave []LeaveFields `json:"leave,omitempty"`
}

// LeaveFields selects fields of objects.
type LeaveFields struct {
	// Kind is Kind or Kind.group, or a glob of those.
	Kind string `json:"kind"`
	// Name is a name or a glob; without it every name is meant.
	Name string `json:"name,omitempty"`
	// Fields are JSON pointers (RFC 6901), such as /spec/replicas. At least one.
	Fields []string `json:"fields"`
}

// Prune bounds the deletion of objects that left Git.
type Prune struct {
	// Limit is the share of the environment's objects that may be pruned without a person's word in the
	// release file, 1%..100%. A prune of a single object is never held.
	Limit Percent `json:"limit,omitempty"`
	// Delete lists kinds among PersistentVolumeClaim, Namespace and CustomResourceDefinition that may be
	// deleted at all; those that are not listed are kept when they leave Git.
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
