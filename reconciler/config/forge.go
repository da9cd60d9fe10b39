package config

import (
	"net/url"
	"slices"
	"strings"
)

// Forge is the forge of a repository: where merge requests are opened, commit statuses are set and checks are read.
type Forge struct {
	// Kind is github, gitlab, gitea or forgejo. It is not guessed from a host's name.
	Kind ForgeKind `json:"kind"`
	// API is the address of its API, http:// or https://. Without one it is derived from the repository's url; needed where a
	// GitLab does not lie at its host's root.
	API string `json:"api,omitempty"`
	// Repository is the path of the repository there, such as owner/name; without one it is derived from url.
	Repository string `json:"repository,omitempty"`
	// Token says where a token is found, under the key token. Exactly one of token and app; at GitLab neither will do, for
	// merge requests that are opened by push options.
	Token *Credentials `json:"token,omitempty"`
	// App acts instead of a token, at GitHub alone.
	App *ForgeApp `json:"app,omitempty"`
	// Pending says whether statuses of what is under way are set too, and not only of what ended. By default they are, but not
	// at GitLab, where such a status keeps a pipeline running for as long as a canary does.
	Pending *bool `json:"pending,omitempty"`
}

// ForgeKind is what software a forge runs.
type ForgeKind string

// The forges.
const (
	GitHub  ForgeKind = "github"
	GitLab  ForgeKind = "gitlab"
	Gitea   ForgeKind = "gitea"
	Forgejo ForgeKind = "forgejo"
)

// ForgeApp is an installation of a GitHub App.
type ForgeApp struct {
	// ID is the number of the App.
	ID int `json:"id"`
	// Installation is the number of its installation; without one it is looked up by the repository.
	Installation int `json:"installation,omitempty"`
	// PrivateKey says where the App's private key is found, in PEM, under the key identity.
	PrivateKey Credentials `json:"privateKey"`
}

// PostsStatuses reports whether commit statuses are set at the repository's forge.
func (r Repository) PostsStatuses() bool {
	return r.Forge != nil && (r.WriteBack.Statuses == nil || *r.WriteBack.Statuses)
}

// CountsPushes reports whether the repository's forge takes only so many pushes in a time, which is GitHub.
func (r Repository) CountsPushes() bool {
	if r.Forge != nil {
		return r.Forge.Kind == GitHub
	}
	address, err := url.Parse(r.URL)
	return err == nil && strings.TrimPrefix(address.Hostname(), "ssh.") == "github.com" || strings.HasPrefix(r.URL, "git@github.com:")
}

// credentials are all that the repository names.
func (r Repository) credentials() (all []*Credentials) {
	if r.Credentials != nil {
		all = append(all, r.Credentials)
	}
	all = append(all, r.Forge.credentials()...)
	if r.Webhook != nil {
		all = append(all, &r.Webhook.Secret)
	}
	if l := r.WriteBack.Ledger; l != nil {
		all = append(all, l.credentials()...)
	}
	return all
}

func (f *Forge) credentials() (all []*Credentials) {
	if f != nil && f.Token != nil {
		all = append(all, f.Token)
	}
	if f != nil && f.App != nil {
		all = append(all, &f.App.PrivateKey)
	}
	return all
}

func checkForge(d *document, at string, f *Forge) {
	d.oneOf(at+".kind", string(f.Kind), string(GitHub), string(GitLab), string(Gitea), string(Forgejo))
	if f.API != "" {
		d.webURL(at+".api", f.API)
	}
	if f.Repository != "" {
		parts := strings.Split(f.Repository, "/")
		odd := slices.ContainsFunc(parts, func(p string) bool { return p == "" || p == "." || p == ".." })
		if odd || hasControl(f.Repository) || len(parts) < 2 || len(parts) > 2 && f.Kind != GitLab {
			d.reject(at+".repository", "must be a path such as owner/name %s", got(f.Repository))
		}
	}
	switch {
	case f.App != nil && f.Token != nil:
		d.reject(at, "must have only one of token and app")
	case f.App != nil && f.Kind != GitHub:
		d.reject(at+".app", "is only for github")
	case f.App == nil && f.Token == nil && f.Kind == GitHub:
		d.reject(at, "must have one of token and app")
	case f.App == nil && f.Token == nil && f.Kind != GitLab:
		d.reject(at, "must have a token")
	}
	if f.Token != nil {
		checkCredentials(d, at+".token", f.Token)
	}
	if f.App == nil {
		return
	}
	if f.App.ID < 1 {
		d.reject(at+".app.id", "must be the number of the App %s", got(itoa(f.App.ID)))
	}
	if f.App.Installation < 0 {
		d.reject(at+".app.installation", "must be the number of its installation %s", got(itoa(f.App.Installation)))
	}
	checkCredentials(d, at+".app.privateKey", &f.App.PrivateKey)
}

func checkWriteBack(d *document, at string, r *Repository) {
	w := r.WriteBack
	if w.Statuses != nil && *w.Statuses && r.Forge == nil {
		d.reject(at+".statuses", "needs a forge")
	}
	if w.Commit && w.Promote != nil && !*w.Promote {
		d.reject(at+".commit", "needs promote: true")
	}
	if w.Ledger != nil {
		checkLedger(d, at+".ledger", w.Ledger)
	}
}
