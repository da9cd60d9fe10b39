package dashboard

import (
	"net/url"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// someCommits is how many commits are shown unless all are asked for.
const someCommits = 30

// matrix is what became of commits in environments.
type matrix struct {
	Environments []string
	Commits      []commit // the newest first
	More         int      // that are left out
}

// commit is one that was released somewhere.
type commit struct {
	Revision, Subject, Author string
	At                        time.Time
	Link                      string // where it is to be seen
	Fates                     []fate // by environment
}

// fate is what became of a commit in an environment. Kind is empty where it has not come so far.
type fate struct {
	Kind     string // live, flight, was, failed, back, superseded or skipped
	Word     string
	Reason   string
	URL      string
	At       time.Time
	Attempts int
	Doubtful bool // nobody who counts says so
}

// Icon of a fate.
func (f fate) Icon() string { return f.Kind }

func matrixOf(cells []cell, history view.History, all bool) matrix {
	var m matrix
	for _, c := range cells {
		m.Environments = append(m.Environments, c.Environment)
	}
	index := map[string]int{}
	for _, p := range history.Releases {
		if !slices.Contains(m.Environments, p.Environment) {
			m.Environments = append(m.Environments, p.Environment)
		}
		if _, ok := index[p.Revision]; !ok {
			index[p.Revision] = len(m.Commits)
			m.Commits = append(m.Commits, commit{Revision: p.Revision})
		}
		c := &m.Commits[index[p.Revision]]
		if p.Trigger == "" || p.Trigger == p.Revision { // else they are those of the commit that brought it, as of a pin
			c.Subject, c.Author = first(p.Subject, c.Subject), first(p.Author, c.Author)
		}
		if c.At.IsZero() || !p.Began.IsZero() && p.Began.Before(c.At) {
			c.At = p.Began
		}
	}
	for _, p := range history.Releases {
		c := &m.Commits[index[p.Revision]]
		c.Subject, c.Author = first(c.Subject, p.Subject), first(c.Author, p.Author)
	}
	for i := range m.Commits {
		m.Commits[i].Fates = make([]fate, len(m.Environments))
	}
	for _, p := range history.Releases {
		f := &m.Commits[index[p.Revision]].Fates[slices.Index(m.Environments, p.Environment)]
		switch {
		case f.Kind == "":
			*f = fateOf(p, slices.ContainsFunc(cells, cell.Reported))
		case p.Phase == "Failed" || p.Phase == "RolledBack":
			f.Attempts++
		}
	}
	for env := range m.Environments {
		m.markSkipped(env)
	}
	if !all && len(m.Commits) > someCommits {
		m.More = len(m.Commits) - someCommits
		m.Commits = m.Commits[:someCommits]
	}
	return m
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// fateOf is what became of a release. Where it was only reported nobody looked whether it still serves.
func fateOf(p view.Past, reported bool) fate {
	f := fate{Reason: p.Reason, URL: pastURL(p), At: p.Began, Attempts: 1, Doubtful: !counts(p.Standing)}
	switch {
	case p.Live && reported:
		f.Kind, f.Word = "live", "Reported live"
	case p.Live:
		f.Kind, f.Word = "live", "Live"
	case p.Phase == "Failed" || p.Phase == "Blocked":
		f.Kind, f.Word = "failed", p.Phase
	case p.Phase == "RolledBack":
		f.Kind, f.Word = "back", "Rolled back"
	case p.Phase == "Superseded":
		f.Kind, f.Word = "superseded", "Superseded"
	case p.Phase == "Healthy":
		f.Kind, f.Word = "was", "Was here"
	default:
		f.Kind, f.Word = "flight", phaseWord(p.Phase)
	}
	return f
}

// markSkipped marks the commits that an environment went past.
func (m matrix) markSkipped(env int) {
	newer := false
	oldest := -1
	for i, c := range m.Commits {
		if c.Fates[env].Kind != "" {
			oldest = i
		}
	}
	for i := range m.Commits {
		f := &m.Commits[i].Fates[env]
		if f.Kind == "" && newer && i < oldest {
			f.Kind, f.Word = "skipped", "Skipped"
		}
		newer = newer || f.Kind != ""
	}
}

// pastURL is the page of a release that is over.
func pastURL(p view.Past) string {
	out := address("a", p.Application, p.Environment, "r", p.Revision)
	if p.Trigger != "" && p.Trigger != p.Revision {
		out += "?" + url.Values{"trigger": {p.Trigger}}.Encode()
	}
	return out
}
