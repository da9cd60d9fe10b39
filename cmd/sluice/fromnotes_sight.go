package main

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// sight is what was seen in a repository at one moment. But for the histories, which are made when somebody asks, it does not
// change any more.
type sight struct {
	branch *onlooker // nil: there is none
	keyed  bool      // signatures were checked
	lines  map[string][]record.Judged
	words  map[string]commitWords // of the commits that lines name
	cells  []view.Cell
	faults []string

	mu        sync.Mutex
	histories map[string]aged
}

// aged is a history and when it was made: its last week is up to then.
type aged struct {
	view.History
	at time.Time
}

// historyAge is how long a history is shown in which nothing changed.
const historyAge = time.Hour

// byApplication parts lines by what they are about. What is no line goes to each application beside which it lies.
func byApplication(lines []record.Judged) map[string][]record.Judged {
	parts, beside := map[string][]record.Judged{}, map[string]map[string]bool{}
	for _, j := range lines {
		if j.Err != nil {
			continue
		}
		parts[j.Line.Application] = append(parts[j.Line.Application], j)
		if beside[j.Notes] == nil {
			beside[j.Notes] = map[string]bool{}
		}
		beside[j.Notes][j.Line.Application] = true
	}
	for _, j := range lines {
		if j.Err == nil {
			continue
		}
		for application := range beside[j.Notes] {
			parts[application] = append(parts[application], j)
		}
	}
	return parts
}

// readWords reads what the commits say that brought releases.
func (s *sight) readWords(ctx context.Context, from *commits) error {
	for _, lines := range s.lines {
		for _, j := range lines {
			for _, revision := range []string{j.Line.Revision, j.Line.Trigger} {
				if _, known := s.words[revision]; known || revision == "" || !j.Told() {
					continue
				}
				words, ok, err := from.find(ctx, revision)
				if err != nil {
					return err
				}
				if ok {
					s.words[revision] = words
				}
			}
		}
	}
	return nil
}

func (s *sight) commit(revision string) (reconciler.CommitWords, bool) {
	words, ok := s.words[revision]
	return reconciler.CommitWords{Author: words.by, Subject: words.subject, At: words.at, Merged: words.merged}, ok
}

// history is what happened to an application.
func (s *sight) history(application string, now time.Time) view.History {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.histories[application]
	if !ok || now.Sub(known.at) > historyAge {
		known = aged{reconciler.HistoryOf{Application: application, Lines: s.lines[application], Commit: s.commit, Now: now}.History(), now}
		s.histories[application] = known
	}
	history := known.History
	history.Releases, history.Metrics, history.NotCounted = slices.Clone(history.Releases), slices.Clone(history.Metrics), slices.Clone(history.NotCounted)
	return history
}

func (s *sight) has(of view.Key) bool {
	return slices.ContainsFunc(s.cells, func(c view.Cell) bool { return c.Key == of })
}

// present is the revision that an environment is at; empty where it has none.
func (s *sight) present(of view.Key) string {
	for _, c := range s.cells {
		if c.Key == of {
			return c.Release.Revision
		}
	}
	return ""
}

// names reports whether notes name a release that may be told.
func (s *sight) names(of view.Side) bool {
	return slices.ContainsFunc(s.lines[of.Application], func(j record.Judged) bool {
		return j.Told() && j.Line.Environment == of.Environment && j.Line.Revision == of.Revision
	})
}

// tell makes the cells: of the last words, and of environments that nobody has said anything of.
func (s *sight) tell(rows []environmentStatus) {
	said := map[view.Key]bool{}
	for _, row := range rows {
		c := s.cell(row)
		said[c.Key] = true
		s.cells = append(s.cells, c)
	}
	if s.branch == nil {
		return
	}
	for name, at := range s.branch.apps {
		for i := range at.app.Environments {
			if key := (view.Key{Application: name, Environment: at.app.Environments[i].Name}); !said[key] {
				c := view.Cell{Key: key, Reason: "no agent has written anything of it yet"}
				s.settle(&c, at.app, &at.app.Environments[i])
				s.cells = append(s.cells, c)
			}
		}
	}
}

// cell is an environment by the last line of it.
func (s *sight) cell(row environmentStatus) view.Cell {
	c := view.Cell{
		Key: view.Key{Application: row.Application, Environment: row.Environment}, Cluster: printable(row.Cluster), Phase: string(row.Phase),
		Release: s.release(row.Revision, row.Trigger), Since: row.At, At: row.At, Standing: string(row.Standing), Canary: canaryOf(row),
	}
	if row.Phase != policies.Healthy {
		c.Reason = printable(row.Reason)
	}
	for _, o := range row.Evidence.NotWell {
		c.NotWell = append(c.NotWell, view.Fault{Object: printable(o.Object), Reason: printable(cmp.Or(o.Reason, o.Health))})
	}
	if row.Behind != nil {
		c.Behind = &view.Behind{Of: row.Behind.Of, Commits: row.Behind.Commits, AtLeast: row.Behind.AtLeast}
	}
	s.serving(&c, row)
	switch row.hindered {
	case byPause:
		c.Paused, c.Reason = true, row.Blocks
	case byWindow:
		c.Next = &view.Next{Revision: row.Behind.Revision, Reason: printable(row.Blocks)}
	case bySilence, byBranch:
		c.Reason = printable(row.Blocks)
	case byFailure, byPin:
	}
	if s.keyed && row.Standing != record.Verified {
		c.Reason = "the line that says so does not count: " + string(row.Standing)
	}
	if app, env := s.rules(c.Key); env != nil {
		s.settle(&c, app, env)
	}
	c.Help = reconciler.HelpOf(c)
	return c
}

// serving says which release serves, and since when the last one is in its phase, by all lines that may be told.
func (s *sight) serving(c *view.Cell, row environmentStatus) {
	for _, r := range s.releases(c.Key) {
		if r.Revision != row.Revision || r.Trigger != row.Trigger {
			continue
		}
		c.Release.Began, c.Release.Digest = r.Began, r.Digest
		for i := len(r.Phases) - 1; i >= 0 && r.Phases[i].Phase == row.Phase; i-- {
			c.Since = r.Phases[i].At
		}
	}
	if row.Runs == "" || row.Runs == row.Revision {
		return
	}
	proven := s.release(row.Runs, "")
	for _, r := range s.releases(c.Key) {
		if r.Revision == row.Runs {
			proven = s.release(r.Revision, r.Trigger)
			proven.Began, proven.Digest = r.Began, r.Digest
		}
	}
	if row.Phase == policies.Pending || row.Phase == policies.Blocked { // nothing of it has begun, and what is there is another
		c.Next = &view.Next{Revision: row.Revision, Reason: c.Reason}
		c.Release = proven
		return
	}
	c.Proven = &proven
}

// releases are those of an environment that may be told, the oldest first.
func (s *sight) releases(of view.Key) []record.Release {
	releases, _ := record.Releases(slices.DeleteFunc(slices.Clone(s.lines[of.Application]), func(j record.Judged) bool {
		return j.Line.Subject() != subjectAt(of)
	}))
	return releases
}

func (s *sight) release(revision, trigger string) view.Release {
	r := view.Release{Revision: revision, Trigger: trigger}
	if words, ok := s.commit(cmp.Or(trigger, revision)); ok {
		r.Author, r.Subject = printable(words.Author), printable(words.Subject)
	}
	return r
}

// rules are those of the branch for an environment; nil: it has none.
func (s *sight) rules(of view.Key) (*config.Application, *config.Environment) {
	if s.branch == nil || s.branch.apps[of.Application].app == nil {
		return nil, nil
	}
	app := s.branch.apps[of.Application].app
	env, ok := app.Environment(of.Environment)
	if !ok {
		return nil, nil
	}
	return app, env
}

// settle adds what the branch says of an environment.
func (s *sight) settle(c *view.Cell, app *config.Application, env *config.Environment) {
	c.Labels, c.Namespace, c.Place, c.Promotion = env.Labels, env.Namespace, reconciler.ColumnsOf(app)[env.Name], reconciler.PromotionOf(env.Promotion)
}
