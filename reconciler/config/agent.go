package config

// Agent is agent.yaml: what the platform team says about one agent. It is kept beside the agent, never in an
// application's repository.
//
// Make one with ParseAgent or LoadAgent, which set the defaults and validate it.
type Agent struct {
	// APIVersion is sluice.dev/v1alpha1.
	APIVersion string `json:"apiVersion"`
	// Kind is Agent.
	Kind string `json:"kind"`
	// Metadata names the agent. The name becomes the label sluice.dev/agent of every object that it owns:
	// two agents that can reach one cluster must not have the same.
	Metadata Metadata `json:"metadata"`
	// StateNamespace is where the agent keeps state, its signing key and its lease, in each target cluster.
	// No application may touch it.
	StateNamespace string `json:"stateNamespace,omitempty"`
	// DataDir is the folder of the mirrors, absolute or relative to the folder of agent.yaml. It is a cache:
	// it may be lost.
	DataDir string `json:"dataDir,omitempty"`
	// Repositories are polled for applications. At least one.
	Repositories []Repository `json:"repositories"`
	// Environments are those that this agent serves, at least one; of others it takes no notice.
	Environments []Served `json:"environments"`
	// Permissions say what applications may do. The first that matches counts; without one an application
	// is Blocked.
	Permissions []Permission `json:"permissions,omitempty"`
	// Providers are what analyses of canaries may ask.
	Providers []Provider `json:"providers,omitempty"`
	// Charts are where charts from elsewhere may be fetched from; nothing else is asked. Without any, only charts in the
	// repositories themselves can be deployed.
	Charts []ChartServer `json:"charts,omitempty"`
	// Windows say when changes may begin, for every application and environment or those that they name, beside what the applications'
	// own files say.
	Windows []BindingWindow `json:"windows,omitempty"`
	// Keys are further public keys whose note lines count; the agent's own always does.
	Keys []Key `json:"keys,omitempty"`
	// Listen is the host:port where /metrics, /healthz and /readyz are served; "none" turns it off.
	Listen string `json:"listen,omitempty"`
	// Webhooks is the listener for forges that tell of pushes and merge requests; without it there is none.
	Webhooks *Webhooks `json:"webhooks,omitempty"`
	// Dashboard shows what runs where.
	Dashboard Dashboard `json:"dashboard,omitzero"`
	// Links are addresses that people are led to.
	Links Links `json:"links,omitzero"`
	// Render bounds what rendering may cost.
	Render Rendering `json:"render,omitzero"`
	// Concurrency is how many passes run at once, 1..256.
	Concurrency int `json:"concurrency,omitempty"`
	// Audit is how often every object is compared by dry-run although no watch reported anything, spread
	// out over the time; at least 10m.
	Audit Duration `json:"audit,omitzero"`
}

// Repository is a Git repository with applications in it.
type Repository struct {
	// Name is a DNS label, unique in the file; logs and metrics use it.
	Name string `json:"name"`
	// URL is http://, https:// or ssh://, or scp-like (git@host:path). It carries no password or token, and
	// for http no user either: those belong into credentials.
	URL string `json:"url"`
	// Branch is the one that is polled, without refs/heads/.
	Branch string `json:"branch,omitempty"`
	// Path is the folder of a single sluice.yaml, relative to the repository's root. Not together with
	// applications.
	Path string `json:"path,omitempty"`
	// Applications discovers a sluice.yaml in each folder that matches.
	Applications *Discovery `json:"applications,omitempty"`
	// Names are the application names (globs) that the repository may use, and that no repository without a
	// list of names can take from it. Without a list it may use any that no other repository uses or lists.
	Names []string `json:"names,omitempty"`
	// Poll says when to ask for news.
	Poll Poll `json:"poll,omitzero"`
	// Credentials says where user, password, key and the like are found. Required for ssh, which needs
	// known_hosts.
	Credentials *Credentials `json:"credentials,omitempty"`
	// Forge is what surrounds the repository; without one it is a plain Git server.
	Forge *Forge `json:"forge,omitempty"`
	// Webhook lets the forge tell of pushes and merge requests, at webhooks.listen; polls go on.
	Webhook *Webhook `json:"webhook,omitempty"`
	// WriteBack says what is written to the repository.
	WriteBack WriteBack `json:"writeBack,omitzero"`
}

// Discovery finds applications in a repository.
type Discovery struct {
	// Path is a glob of folders relative to the repository's root, such as apps/*; a * stands for one folder
	// name, or a part of it. Each folder that has a sluice.yaml is an application.
	Path string `json:"path"`
}

// Poll says when a repository is asked for news: by interval or by cron.
type Poll struct {
	// Interval between polls, up to 10% longer by chance; at least 200ms. Not together with cron.
	Interval Duration `json:"interval,omitzero"`
	// Cron is an expression of five fields: minute, hour, day of the month, month, day of the week.
	Cron string `json:"cron,omitempty"`
	// TimeZone of cron is an IANA name, such as Europe/Berlin; UTC where none is named.
	TimeZone string `json:"timeZone,omitempty"`
}

// Credentials are kept outside of this file: exactly one of the fields. Its keys or file names are username,
// password, token, identity (or ssh-privatekey), identity-passphrase, known_hosts, ca.crt, users, age.agekey and sops.asc.
type Credentials struct {
	// Secret is the name of a Secret in stateNamespace of the agent's own cluster.
	Secret string `json:"secret,omitempty"`
	// Directory is a folder beside the agent, absolute or relative to the folder of agent.yaml.
	Directory string `json:"directory,omitempty"`
}

// WriteBack says what is written to a repository, or to its ledger where it has one.
type WriteBack struct {
	// Ledger puts notes, pins and requests into another repository, for those who give an agent no right to write to code:
	// nothing is pushed to the code then. The release files are <application>/releases/<environment>.yaml there, and not
	// beside sluice.yaml any more; notes are on the revisions of the code. Commit statuses are set and checks are read at the
	// forge of the code all the same, where the repository names one.
	Ledger *Ledger `json:"ledger,omitempty"`
	// Notes are status lines in refs/notes/sluice/<environment>; false writes none.
	Notes *bool `json:"notes,omitempty"`
	// Promote lets branches that begin with sluice/ be pushed, and merge requests be opened for them: pins that are proposed, for
	// environments with a promotion, and the way back after a release that failed and was taken back. false: neither.
	Promote *bool `json:"promote,omitempty"`
	// Commit lets pins be pushed to the polled branch, for promotions with by: commit, forward and, after a release that failed,
	// back. Nothing else is ever pushed to it.
	Commit bool `json:"commit,omitempty"`
	// Statuses are commit statuses at the forge; without a word they are set where there is one.
	Statuses *bool `json:"statuses,omitempty"`
	// Interval is the least time between two pushes; 100ms to 1h. At GitHub, which takes six pushes a minute for a repository,
	// it is 10s for each agent that may push there: this one, and one for every environment that it does not serve.
	Interval Duration `json:"interval,omitzero"`
}

// Served is an environment that this agent serves.
type Served struct {
	// Name of the environment, unique in the file.
	Name string `json:"name"`
	// Cluster the environment is in. Without one it is the cluster that the agent runs in.
	Cluster ClusterRef `json:"cluster,omitzero"`
}

// ClusterRef is a cluster by kubeconfig; the zero value is the cluster that the agent runs in. Kubeconfigs
// with exec plugins, auth providers or references to files are refused.
type ClusterRef struct {
	// Kubeconfig is a file beside the agent, absolute or relative to the folder of agent.yaml.
	Kubeconfig string `json:"kubeconfig,omitempty"`
	// Context is one of the kubeconfig's contexts. Without it the current one is used.
	Context string `json:"context,omitempty"`
}

// Permission is what the applications it matches may do.
type Permission struct {
	// Applications are names or globs. At least one.
	Applications []string `json:"applications"`
	// Environments are names or globs.
	Environments []string `json:"environments,omitempty"`
	// ServiceAccount is impersonated for the applications: namespace/name, or a name in the environment's
	// namespace.
	ServiceAccount string `json:"serviceAccount"`
	// Namespaces are names or globs that objects may be in, at least one. kube-system, kube-public,
	// kube-node-lease and the agent's own are never allowed, whatever a glob says.
	Namespaces []string `json:"namespaces"`
	// Kinds restricts the kinds of objects.
	Kinds Kinds `json:"kinds,omitzero"`
	// Decryption has the keys for Secrets that are encrypted with SOPS in Git: age.agekey, sops.asc, or both. Without it
	// they are refused. Whoever may use a key can decrypt whatever was encrypted for it, so give each team its own.
	Decryption *Credentials `json:"decryption,omitempty"`
}

// Kinds are written Kind for every group, or Kind.group for one ("Secret." with nothing after the dot for the
// core group), or as globs of those: Role, HTTPRoute.gateway.networking.k8s.io, *.cert-manager.io. By default
// every namespaced kind is allowed and no cluster-wide one.
type Kinds struct {
	// Allow are the namespaced kinds that are allowed.
	Allow []string `json:"allow,omitempty"`
	// ClusterWide are the cluster-wide kinds that are allowed.
	ClusterWide []string `json:"clusterWide,omitempty"`
	// Deny are kinds that are not allowed, whatever the other two say.
	Deny []string `json:"deny,omitempty"`
}

// Key is a public key whose lines count for environments.
type Key struct {
	// Key is ed25519: and 32 bytes in base64.
	Key string `json:"key"`
	// Environments are names or globs.
	Environments []string `json:"environments,omitempty"`
}
