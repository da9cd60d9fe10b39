package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"path"
	"slices"
	"strings"
	"time"
)

// checkAgent validates agent.yaml after its defaults were set.
func checkAgent(d *document, a *Agent) {
	d.header(a.APIVersion, a.Kind, KindAgent, a.Metadata)
	if d.label("stateNamespace", a.StateNamespace) && slices.Contains(ReservedNamespaces(), a.StateNamespace) {
		d.reject("stateNamespace", "must not be a namespace of Kubernetes itself %s", got(a.StateNamespace))
	}
	d.local("dataDir", a.DataDir)
	d.listen("listen", a.Listen)
	if a.Concurrency < 1 || a.Concurrency > 256 {
		d.reject("concurrency", "must be 1..256 (got %d)", a.Concurrency)
	}
	checkRendering(d, "render", a.Render)
	if a.Audit.Std() < 10*time.Minute {
		d.reject("audit", "must be at least 10m %s", got(a.Audit.String()))
	}
	checkRepositories(d, a.Repositories)
	checkWebhooks(d, a)
	checkDashboard(d, a)
	checkServed(d, a.Environments)
	for i := range a.Permissions {
		checkPermission(d, d.item("permissions", i), &a.Permissions[i], a.StateNamespace)
	}
	checkProviders(d, a.Providers)
	checkChartServers(d, a.Charts)
	checkLinks(d, "links", a.Links)
	for i, w := range a.Windows {
		checkBinding(d, d.item("windows", i), w)
	}
	for i, k := range a.Keys {
		checkKey(d, d.item("keys", i), k)
	}
}

func checkRepositories(d *document, repositories []Repository) {
	if len(repositories) == 0 {
		d.reject("repositories", "must have at least one repository")
	}
	names, places := seen{}, seen{}
	for i := range repositories {
		r, at := &repositories[i], d.item("repositories", i)
		if d.label(at+".name", r.Name) {
			names.once(d, at+".name", r.Name, "is already the name of the repository")
		}
		checkRepository(d, at, r)
		folder := r.Path
		if r.Applications != nil {
			folder = r.Applications.Path
		}
		if r.URL != "" {
			places.once(d, at, r.URL+" "+r.Branch+" "+folder, "has the url, branch and path of the repository")
		}
	}
	checkLedgers(d, repositories)
}

// seen is where each value stood first.
type seen map[string]int

// once faults a value that was there before.
func (s seen) once(d *document, at, value, message string) {
	if line, twice := s[value]; twice {
		d.reject(at, "%s in line %d", message, line)
		return
	}
	s[value] = d.line(at)
}

func checkRepository(d *document, at string, r *Repository) {
	d.gitURL(at+".url", r.URL)
	d.branch(at+".branch", r.Branch)
	switch {
	case r.Applications != nil && r.Path != "":
		d.reject(at, "must have only one of path and applications")
	case r.Applications != nil:
		checkDiscovery(d, at+".applications.path", r.Applications.Path)
	default:
		d.inside(at+".path", r.Path)
	}
	d.globs(at+".names", r.Names, 0)
	checkPoll(d, at+".poll", r.Poll)
	switch c := r.Credentials; {
	case c != nil:
		checkCredentials(d, at+".credentials", c)
	case r.URL != "" && isSSH(r.URL):
		d.reject(at+".credentials", "is required for ssh, with known_hosts")
	}
	if r.Forge != nil {
		checkForge(d, at+".forge", r.Forge)
	}
	checkWriteBack(d, at+".writeBack", r)
	if every := r.WriteBack.Interval.Std(); (every != 0 || !r.Ledger().CountsPushes()) && (every < 100*time.Millisecond || every > time.Hour) {
		d.reject(at+".writeBack.interval", "must be 100ms..1h %s", got(r.WriteBack.Interval.String()))
	}
}

func checkDiscovery(d *document, at, glob string) {
	d.inside(at, glob)
	switch {
	case !isGlob(glob):
		d.reject(at, "must be a glob of folders such as apps/* %s", got(glob))
	case slices.ContainsFunc(strings.Split(glob, "/"), func(part string) bool { return strings.Contains(part, "**") }):
		d.reject(at, "must not have **: a * stands for one folder name %s", got(glob))
	}
}

func checkPoll(d *document, at string, p Poll) {
	if p.Cron == "" {
		if p.Interval.Std() < 200*time.Millisecond || p.Interval.Std() > 7*day {
			d.reject(at+".interval", "must be 200ms..7d %s", got(p.Interval.String()))
		}
		if p.TimeZone != "" {
			d.reject(at+".timeZone", "is only for cron")
		}
		return
	}
	if p.Interval != 0 {
		d.reject(at, "must have only one of interval and cron")
	}
	if _, err := timeZone(p.TimeZone); err != nil {
		d.reject(at+".timeZone", "%s %s", err.Error(), got(p.TimeZone))
	}
	if _, err := schedule(p.Cron); err != nil {
		d.reject(at+".cron", "%s %s", err.Error(), got(p.Cron))
	}
}

// checkCredentials shows no value: what stands in the wrong place here may be the secret itself.
func checkCredentials(d *document, at string, c *Credentials) {
	switch {
	case (c.Secret == "") == (c.Directory == ""):
		d.reject(at, "must have exactly one of secret and directory")
	case c.Secret != "" && !isSubdomain(c.Secret):
		d.reject(at+".secret", "must be the name of a Secret, not the secret")
	case c.Directory != "" && (hasControl(c.Directory) || strings.ContainsAny(c.Directory, "$~") || strings.Contains(c.Directory, "://")):
		d.reject(at+".directory", "must be a plain path, without $, ~ or ://")
	}
}

func checkServed(d *document, environments []Served) {
	if len(environments) == 0 {
		d.reject("environments", "must have at least one environment")
	}
	names := seen{}
	for i, e := range environments {
		at := d.item("environments", i)
		if d.label(at+".name", e.Name) {
			names.once(d, at+".name", e.Name, "is already the name of the environment")
		}
		switch {
		case e.Cluster.Kubeconfig != "":
			d.local(at+".cluster.kubeconfig", e.Cluster.Kubeconfig)
		case e.Cluster.Context != "":
			d.reject(at+".cluster.context", "is only for a kubeconfig")
		}
	}
}

func checkPermission(d *document, at string, p *Permission, stateNamespace string) {
	d.globs(at+".applications", p.Applications, 1)
	d.globs(at+".environments", p.Environments, 0)
	d.globs(at+".namespaces", p.Namespaces, 1)
	for i, name := range p.Namespaces {
		if name == stateNamespace || slices.Contains(ReservedNamespaces(), name) {
			d.reject(d.item(at+".namespaces", i), "is reserved: no application may touch it %s", got(name))
		}
	}
	checkServiceAccount(d, at+".serviceAccount", p.ServiceAccount)
	if p.Kinds.Allow != nil && len(p.Kinds.Allow) == 0 {
		d.reject(at+".kinds.allow", "is empty: leave it out, or name something")
	}
	d.kinds(at+".kinds.allow", p.Kinds.Allow)
	d.kinds(at+".kinds.clusterWide", p.Kinds.ClusterWide)
	d.kinds(at+".kinds.deny", p.Kinds.Deny)
	if p.Decryption != nil {
		checkCredentials(d, at+".decryption", p.Decryption)
	}
}

// checkServiceAccount demands name or namespace/name.
func checkServiceAccount(d *document, at, value string) {
	if value == "" {
		d.reject(at, "is required")
		return
	}
	namespace, name := path.Split(value)
	if !isSubdomain(name) || namespace != "" && !isLabel(strings.TrimSuffix(namespace, "/")) {
		d.reject(at, "must be the name of a service account, or namespace/name %s", got(value))
	}
}

// keyPrefix begins a public key; what follows is base64.
const keyPrefix = "ed25519:"

// Public decodes the key; of a Key that ParseAgent returned there is no error.
func (k Key) Public() (ed25519.PublicKey, bool) {
	text, found := strings.CutPrefix(k.Key, keyPrefix)
	bytes, err := base64.StdEncoding.DecodeString(text)
	if !found || err != nil || len(bytes) != ed25519.PublicKeySize {
		return nil, false
	}
	return ed25519.PublicKey(bytes), true
}

func checkKey(d *document, at string, k Key) {
	if _, ok := k.Public(); !ok {
		// Not shown: a private key pasted here by mistake must not reach a log.
		d.reject(at+".key", "must be %s and 32 bytes in base64", keyPrefix)
	}
	d.globs(at+".environments", k.Environments, 0)
}
