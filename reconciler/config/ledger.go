package config

import (
	"io/fs"
	"path"
	"reflect"
	"strings"
)

// Ledger is a repository that has what agents and people write about the applications of another one. The code repository is
// only read then, and its credentials need no more rights than that.
//
// The release files are <application>/releases/<environment>.yaml of its branch, for each application of the code repository, and
// pins in them name revisions of the code. One beside sluice.yaml refuses everything new of its environment, until it is
// moved. Notes are in refs/notes/sluice/<environment>, on the revisions of the code. Pins are proposed on branches of the
// ledger, and requests are opened at its forge. It is polled like any repository, so a pin that moves there is released at
// once; while it cannot be reached its last words hold, and nothing of what runs changes.
//
// A pin goes back there too, after a release that failed. Where the tip is followed, going back in Git is a change of the code:
// nobody is asked for it by a request then, the agent's log says that it is for people.
//
// Commit statuses are set and checks are read at the forge of the code, where the repository names one. Of pins, which are
// commits of the ledger, the ledger's forge is told.
//
// Several repositories may share a ledger, with the same words, and so may several agents: one for staging and one for
// production have to. An application's name is its place there, so whoever shares a ledger shares the names.
//
// Git keeps a proven revision of a branch that was rewritten for its notes' sake only where both are in one repository. With a
// ledger the code's server may clear it away; then there is no way back to it but by the state in the cluster.
type Ledger struct {
	// URL is that of a repository, by the same rules. It must not be that of one that is polled for applications.
	URL string `json:"url"`
	// Branch has the release files, without refs/heads/; main where none is named. It has to be there: an empty ledger needs a
	// first commit.
	Branch string `json:"branch,omitempty"`
	// Poll says when to ask for news; every 30s where nothing is said.
	Poll Poll `json:"poll,omitzero"`
	// Credentials says where user, password, key and the like are found; those of the code repository are never shown to the
	// ledger. They need the right to push. Required for ssh, which needs known_hosts.
	Credentials *Credentials `json:"credentials,omitempty"`
	// Forge is what surrounds the ledger: where requests are opened. Without one branches are pushed, and nothing more.
	Forge *Forge `json:"forge,omitempty"`
	// Webhook lets its forge tell of pushes and merge requests: it posts to /webhooks/ and the name of the first repository with
	// this ledger and .ledger, at webhooks.listen; polls go on.
	Webhook *Webhook `json:"webhook,omitempty"`
}

// Ledger is the repository that what is written about this one goes to: itself, or the one that it names as its ledger. No
// repository's name has a dot, so a ledger's mirror has a folder of its own.
func (r Repository) Ledger() Repository {
	l := r.WriteBack.Ledger
	if l == nil {
		return r
	}
	return Repository{
		Name: r.Name + ".ledger", URL: l.URL, Branch: l.Branch, Path: ".", Poll: l.Poll, Credentials: l.Credentials, Forge: l.Forge,
		Webhook: l.Webhook, WriteBack: WriteBack{Statuses: r.WriteBack.Statuses, Interval: r.WriteBack.Interval},
	}
}

func (l *Ledger) credentials() []*Credentials {
	all := l.Forge.credentials()
	if l.Credentials != nil {
		all = append(all, l.Credentials)
	}
	if l.Webhook != nil {
		all = append(all, &l.Webhook.Secret)
	}
	return all
}

// LedgerDir is the folder of an application in a ledger's tree: that of its name, or where there is none the first that is there of its
// earlier names.
func LedgerDir(tree fs.FS, application string, was []string) string {
	for _, name := range append([]string{application}, was...) {
		if info, err := fs.Stat(tree, path.Join(name, "releases")); err == nil && info.IsDir() {
			return name
		}
	}
	return application
}

func checkLedger(d *document, at string, l *Ledger) {
	d.gitURL(at+".url", l.URL)
	d.branch(at+".branch", l.Branch)
	checkPoll(d, at+".poll", l.Poll)
	switch {
	case l.Credentials != nil:
		checkCredentials(d, at+".credentials", l.Credentials)
	case l.URL != "" && isSSH(l.URL):
		d.reject(at+".credentials", "is required for ssh, with known_hosts")
	}
	if l.Forge != nil {
		checkForge(d, at+".forge", l.Forge)
	}
}

// checkLedgers wants ledgers apart from the code, and one that is shared described once and for all.
func checkLedgers(d *document, repositories []Repository) {
	code, shared := map[string]string{}, map[string]*Repository{}
	for _, r := range repositories {
		if r.URL != "" {
			code[sameAddress(r.URL)] = r.Name
		}
	}
	for i := range repositories {
		r, l := &repositories[i], repositories[i].WriteBack.Ledger
		if l == nil || l.URL == "" {
			continue
		}
		at := d.item("repositories", i) + ".writeBack.ledger"
		address := sameAddress(l.URL)
		name, polled := code[address]
		first, known := shared[address]
		switch {
		case polled:
			d.reject(at+".url", "must not be the url of repository %q: a ledger is a repository of its own, and without one all is written to the code", name)
		case !known:
			shared[address] = r
		case !reflect.DeepEqual(first.WriteBack.Ledger, l):
			d.reject(at, "must say the same as that of repository %q, which has the same url", first.Name)
		}
	}
}

// sameAddress is an address without what two ways to write it differ in.
func sameAddress(address string) string {
	return strings.ToLower(strings.TrimSuffix(strings.TrimRight(address, "/"), ".git"))
}
