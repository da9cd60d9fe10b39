package config

import "time"

// Agent is agent.yaml: what the platform team says about one agent.
type Agent struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"` // Agent
	Metadata   Metadata `json:"metadata"`
	// StateNamespace is where the agent keeps state, its signing key and its lease, in each target cluster.
	// Default sluice-system. No application may touch it.
	StateNamespace string `json:"stateNamespace,omitempty"`
	// DataDir holds the mirrors. It is a cache: it may be lost. Default /var/lib/sluice.
	DataDir string `json:"dataDir,omitempty"`
	// Repositories are polled. Environments are those that this agent serves; of others it takes no notice.
	Repositories []Repository `json:"repositories"`
	Environments []Served     `json:"environments"`
	// Permissions say what applications may do. The first that matches counts; without one an application
	// is Blocked.
	Permissions []Permission `json:"permissions"`
	// Keys are further public keys whose note lines count; the agent's own always does.
	Keys []Key `json:"keys,omitempty"`
	// Listen is where /metrics, /healthz and /readyz are served. Default 127.0.0.1:8080; "none" turns it off.
	Listen string `json:"listen,omitempty"`
	// Concurrency is how many passes run at once. Default 16, 1..256.
	Concurrency int `json:"concurrency,omitempty"`
	// Audit is how often every object is compared by dry-run although no watch reported anything, spread
	// out over the time. Default 12h, at least 10m; 0 is the default.
	Audit Duration `json:"audit,omitzero"`
}

// Repository is a Git repository with applications in it.
type Repository struct {
	// Name is a DNS label, unique in the file; logs and metrics use it.
	Name string `json:"name"`
	// URL is http, https or ssh, or scp-like; without a password.
	URL string `json:"url"`
	// Branch is polled. Default main.
	Branch string `json:"branch,omitempty"`
	// Path is the folder of a single sluice.yaml. Default ".". Not together with Applications.
	Path string `json:"path,omitempty"`
	// Applications discovers a sluice.yaml in each folder that matches.
	Applications *Discovery `json:"applications,omitempty"`
	// Names are the application names (globs) that the repository may use. Default: any that no other
	// repository uses.
	Names []string `json:"names,omitempty"`
	// Poll says when to ask for news. Default every 30 s.
	Poll Poll `json:"poll,omitzero"`
	// Credentials by reference.
	Credentials *Credentials `json:"credentials,omitempty"`
	// WriteBack says what is written to the repository.
	WriteBack WriteBack `json:"writeBack,omitzero"`
}

// Discovery finds applications in a repository.
type Discovery struct {
	// Path is a glob of folders relative to the repository's root, such as apps/*. Each folder that has a
	// sluice.yaml is an application.
	Path string `json:"path"`
}

// Poll is Interval or Cron.
type Poll struct {
	// Interval between polls, with up to 10% jitter. Default 30s, at least 200ms.
	Interval Duration `json:"interval,omitzero"`
	// Cron is a five-field expression; TimeZone an IANA name, default UTC.
	Cron     string `json:"cron,omitempty"`
	TimeZone string `json:"timeZone,omitempty"`
}

// Credentials are kept outside of this file: a Secret in StateNamespace of the agent's own cluster, or a
// directory. Exactly one. Keys or file names: username, password, token, identity (or ssh-privatekey),
// identity-passphrase, known_hosts, ca.crt.
type Credentials struct {
	Secret    string `json:"secret,omitempty"`
	Directory string `json:"directory,omitempty"`
}

// WriteBack says what is written to a repository.
type WriteBack struct {
	// Notes: write status lines to refs/notes/sluice/<environment>. Default true.
	Notes *bool `json:"notes,omitempty"`
	// Interval is the least time between two pushes. Default 1s.
	Interval Duration `json:"interval,omitzero"`
}

// Served is an environment that this agent serves.
type Served struct {
	// Name of the environment.
	Name string `json:"name"`
	// Cluster the environment is in. The zero value is the cluster that the agent runs in.
	Cluster ClusterRef `json:"cluster,omitzero"`
}

// ClusterRef is a cluster by kubeconfig. Kubeconfigs with exec plugins or references to files are refused.
type ClusterRef struct {
	// Kubeconfig is a file beside the agent; Context one of its contexts, default the current one.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	Context    string `json:"context,omitempty"`
}

// Permission is what the applications it matches may do.
type Permission struct {
	// Applications are names or globs. Required.
	Applications []string `json:"applications"`
	// Environments are names or globs. Default all.
	Environments []string `json:"environments,omitempty"`
	// ServiceAccount is impersonated: namespace/name, or a name in the environment's namespace. Required.
	ServiceAccount string `json:"serviceAccount"`
	// Namespaces are names or globs that objects may be in; kube-system, kube-public, kube-node-lease and the agent's own
	// are never allowed. Required.
	Namespaces []string `json:"namespaces"`
	// Kinds restricts the kinds of objects.
	Kinds Kinds `json:"kinds,omitzero"`
}

// Kinds are Kind or Kind.group, or globs. By default every namespaced kind is allowed and no cluster-wide one;
// cluster-wide kinds must be named in ClusterWide. Deny wins.
type Kinds struct {
	Allow       []string `json:"allow,omitempty"`
	ClusterWide []string `json:"clusterWide,omitempty"`
	Deny        []string `json:"deny,omitempty"`
}

// Key is a public key whose lines count for environments.
type Key struct {
	// Key is ed25519:<base64>.
	Key string `json:"key"`
	// Environments are names or globs. Default all.
	Environments []string `json:"environments,omitempty"`
}

// Duration is a time.Duration written as 90s, 30m, 12h or 7d.
type Duration time.Duration

// Std is the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Percent is a share, written as 50% (1%..100%).
type Percent int
