package config

// Release is the release file, releases/<environment>.yaml beside sluice.yaml: the words of people about one
// environment. A missing or empty file is the zero value. Who may change it is what the forge protects.
type Release struct {
	// Revision is the pin: the full commit hash that an environment with follow: pin is at. In others it has
	// no effect.
	Revision string `json:"revision,omitempty"`
	// Hotfix lets a revision be pinned that was never in the environments that releases are promoted from.
	Hotfix *Permit `json:"hotfix,omitempty"`
	// Prune lets a prune happen that was held for its size, for the release that it names and for no other.
	Prune *Permit `json:"prune,omitempty"`
	// Approved lets a stage of a canary begin that waits for a person, for the release that it names and for no other.
	Approved *Approval `json:"approved,omitempty"`
	// Override lets changes begin while windows are closed.
	Override *Override `json:"override,omitempty"`
	// Paused stops every change in the environment, drift repair included.
	Paused bool `json:"paused,omitempty"`
	// Retry is any whole number: another value than before tries a failed release again.
	Retry int `json:"retry,omitempty"`
}

// Permit names the release that a permission counts for.
type Permit struct {
	// Revision is a full commit hash.
	Revision string `json:"revision"`
}

// Approval names a stage of a release.
type Approval struct {
	// Revision is a full commit hash.
	Revision string `json:"revision"`
	// Stage is the number of the stage that may begin, from 1; the stages before it may too.
	Stage int `json:"stage"`
}

// dropPermissions takes out what counts for one release alone.
func (r *Release) dropPermissions() { r.Prune, r.Approved, r.Hotfix = nil, nil, nil }

// ReleasePath is the path of an environment's release file, relative to the folder of sluice.yaml.
func ReleasePath(environment string) string { return "releases/" + environment + ".yaml" }
