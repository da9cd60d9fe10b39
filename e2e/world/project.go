package world

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Project is a story's repository at the forge: private, in an organisation of its own, with people and tokens. Its methods
// are what a person does at the forge's pages, by By.
type Project struct {
	Forge *Forge
	// Gate is how agents reach the forge. People do not go through it.
	Gate *Gate
	// Owner is the organisation and Name the repository, as they are now.
	Owner, Name string
	// Ada owns the organisation. Grace may write, and approve what Ada opened. Agent is what Repo gives to an agent: it may
	// write, and its token has the scopes write:repository and read:issue.
	Ada, Grace, Agent Account
	// By is who acts: Ada, or whom As says.
	By Account
	// Repo is Ada's clone.
	Repo *Repo

	prefix string // of accounts
}

// NewProject makes a repository without files in an organisation, and a clone of it at dir. The organisation's name is unique at
// the forge, and the beginning of the accounts' names.
func (f *Forge) NewProject(t testing.TB, organisation, name, dir string) *Project {
	t.Helper()
	p := &Project{Forge: f, Gate: f.NewGate(t), Owner: organisation, Name: name, prefix: organisation}
	p.Ada = f.NewAccount(t, organisation+"-ada", "all")
	p.By = p.Ada
	f.must(t, p.Ada, http.MethodPost, "/orgs", map[string]any{"username": organisation, "visibility": "private"}, nil)
	f.must(t, p.Ada, http.MethodPost, "/orgs/"+organisation+"/repos", map[string]any{
		"name": name, "private": true, "default_branch": "main",
	}, nil)
	p.Grace = p.NewMember(t, "grace", "all")
	p.Agent = p.NewMember(t, "agent", "write:repository", "read:issue")
	p.Repo = &Repo{
		Name: name, Dir: dir, URL: p.Gate.URL + p.path() + ".git", User: p.Agent.Name, Password: p.Agent.Token, Local: p.local(),
	}
	p.Repo.clone(t, p.origin())
	p.begin(t)
	return p
}

// begin pushes a commit without files. It takes the forge a moment after the first push to know that a repository is no
// longer empty, and until then it denies having merge requests and commits.
func (p *Project) begin(t testing.TB) {
	t.Helper()
	p.Repo.Commit(t, "The beginning")
	Await(t, Patience, "the repository is no longer empty", func() error {
		var repo struct {
			Empty bool `json:"empty"`
		}
		if err := p.Try(http.MethodGet, "", nil, &repo); err != nil {
			return err
		}
		if repo.Empty {
			return errors.New("it is")
		}
		return nil
	})
}

// NewMember makes an account that may write to the repository, as far as the scopes of its token go.
func (p *Project) NewMember(t testing.TB, name string, scopes ...string) Account {
	t.Helper()
	account := p.Forge.NewAccount(t, p.prefix+"-"+name, scopes...)
	p.Let(t, account, "write")
	return account
}

// Let gives an account a right to the repository: read, write or admin.
func (p *Project) Let(t testing.TB, account Account, right string) {
	t.Helper()
	p.call(t, http.MethodPut, "/collaborators/"+account.Name, map[string]any{"permission": right}, nil)
}

// As is the project in somebody else's hands.
func (p *Project) As(by Account) *Project {
	as := *p
	as.By = by
	return &as
}

func (p *Project) path() string { return "/" + p.Owner + "/" + p.Name }

// Try asks the API for something below the repository; see Forge.Call.
func (p *Project) Try(method, path string, in, out any) error {
	return p.Forge.Call(p.By, method, "/repos"+p.path()+path, in, out)
}

func (p *Project) call(t testing.TB, method, path string, in, out any) {
	t.Helper()
	if err := p.Try(method, path, in, out); err != nil {
		t.Fatal(err)
	}
}

// Rename gives the repository another name. The agent's URL stays: the forge leads on from the old name.
func (p *Project) Rename(t testing.TB, name string) {
	t.Helper()
	p.call(t, http.MethodPatch, "", map[string]any{"name": name}, nil)
	p.Name = name
	p.moved(t)
}

// Transfer gives the repository to another organisation of Ada's, which is made. The agent's URL and rights stay.
func (p *Project) Transfer(t testing.TB, organisation string) {
	t.Helper()
	p.Forge.must(t, p.Ada, http.MethodPost, "/orgs", map[string]any{"username": organisation, "visibility": "private"}, nil)
	p.call(t, http.MethodPost, "/transfer", map[string]any{"new_owner": organisation}, nil)
	p.Owner = organisation
	p.moved(t)
}

// moved tells the clone where its repository is now.
func (p *Project) moved(t testing.TB) {
	t.Helper()
	p.Repo.Local = p.local()
	p.Repo.Run(t, "remote", "set-url", "origin", p.origin())
}

func (p *Project) local() string {
	return filepath.Join(p.Forge.dir, "repositories", strings.ToLower(p.path())+".git")
}

func (p *Project) origin() string {
	return withLogin(p.Forge.URL, p.Ada.Name, p.Ada.Token) + p.path() + ".git"
}

// DeleteBranch deletes a branch.
func (p *Project) DeleteBranch(t testing.TB, name string) {
	t.Helper()
	p.call(t, http.MethodDelete, "/branches/"+name, nil, nil)
}

// Protection is what a protected branch demands, beyond that only administrators may force it.
type Protection struct {
	// Checks are the contexts of statuses that must be success, or patterns of such: ci/*.
	Checks    []string
	Approvals int
	// Pushers may push past a merge request; others may not.
	Pushers []Account
}

// Protect protects a branch, or the branches of a pattern.
func (p *Project) Protect(t testing.TB, branch string, with Protection) {
	t.Helper()
	var pushers []string
	for _, account := range with.Pushers {
		pushers = append(pushers, account.Name)
	}
	p.call(t, http.MethodPost, "/branch_protections", map[string]any{
		"rule_name": branch, "enable_status_check": len(with.Checks) > 0, "status_check_contexts": with.Checks,
		"required_approvals": with.Approvals, "block_admin_merge_override": true,
		"enable_push": len(pushers) > 0, "enable_push_whitelist": true, "push_whitelist_usernames": pushers,
	}, nil)
}

// Unprotect ends a protection.
func (p *Project) Unprotect(t testing.TB, branch string) {
	t.Helper()
	p.call(t, http.MethodDelete, "/branch_protections/"+branch, nil, nil)
}

// Hook makes the forge tell an address of events: push, pull_request, status and so on. The secret signs what it sends.
func (p *Project) Hook(t testing.TB, address, secret string, events ...string) {
	t.Helper()
	p.call(t, http.MethodPost, "/hooks", map[string]any{
		"type": "gitea", "active": true, "events": events,
		"config": map[string]string{"url": address, "content_type": "json", "secret": secret},
	}, nil)
}

// Unhook ends that.
func (p *Project) Unhook(t testing.TB) {
	t.Helper()
	var hooks []struct {
		ID int64 `json:"id"`
	}
	p.call(t, http.MethodGet, "/hooks", nil, &hooks)
	for _, h := range hooks {
		p.call(t, http.MethodDelete, fmt.Sprintf("/hooks/%d", h.ID), nil, nil)
	}
}

// words are the last lines of the forge's log that tell of this project or of a fault.
func (p *Project) words() string {
	var out strings.Builder
	for line := range strings.Lines(p.Forge.Log()) {
		if strings.Contains(line, p.prefix) || strings.Contains(line, " [E] ") {
			out.WriteString(line)
		}
	}
	return Tail(out.String(), 40)
}
