package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// drifted are the objects whose live fields differ from what was applied, and how.
type drifted map[apply.ID]string

// drift is an object that had drifted, as people are told.
type drift struct {
	Object   string
	What     string        // fields, or that it was deleted
	Repaired bool          // else it is only reported
	Took     time.Duration // from the watch's word to the repair
}

// drifting is what is remembered of drift between passes.
type drifting struct {
	since    time.Time             // when the drift was noticed that is not repaired yet
	fights   map[apply.ID]fight    // objects that were repaired lately
	reported map[apply.ID]reported // drift that is only reported
}

// reported is drift that people were told of: it is looked into again only when the object is another.
type reported struct{ live, what string }

// drift compares what the watches saw with what was applied, by the mode of the environment.
func (p *Pass) drift(ctx context.Context) {
	t := p.target
	noticed := t.takeNoticed()
	p.Drifted = drifted{}
	if p.Rules.Drift.Mode == config.IgnoreDrift || p.Allowed == nil {
		p.verified()
		return
	}
	if p.Blind = p.compare(ctx); len(p.Drifted) == 0 {
		t.drifting.since = time.Time{}
	} else if t.drifting.since.IsZero() {
		t.drifting.since = p.Seen.Now
		if !noticed.IsZero() {
			t.drifting.since = noticed
		}
	}
	if !p.Wanted.Repair {
		if err := p.report(ctx); err != nil {
			p.Blind = err
		}
		return
	}
	p.spare()
	p.Seen.Drifted = len(p.Drifted)
	if p.Verify && p.Seen.Drifted == 0 {
		p.Seen.Drifted = 1
	}
}

// compare finds what differs. Only a mismatch costs a request; the error is of the last object that could not be read.
func (p *Pass) compare(ctx context.Context) (blind error) {
	for _, entry := range p.inRelease() {
		if entry.UID == "" {
			continue
		}
		seen, ok := p.site.observer.Get(rollout.ID(entry.ID))
		switch {
		case !ok:
			if p.site.synced(entry, p.Rules.Namespace) {
				p.Drifted[entry.ID] = "deleted"
			}
		case seen.Deleting:
		case seen.UID != entry.UID:
			p.Drifted[entry.ID] = "made anew by somebody else"
		case seen.Hash != "" && seen.Hash != entry.Hash:
			p.Drifted[entry.ID] = "changed"
		case seen.Hash == "":
			if err := p.compareUnseen(ctx, entry, seen); err != nil {
				blind = err
			}
		}
	}
	return blind
}

// compareUnseen compares an object whose contents no watch shows: a Secret that moved since it was last compared.
func (p *Pass) compareUnseen(ctx context.Context, entry apply.Entry, seen rollout.Object) error {
	t := p.target
	if t.compared[entry.ID] == seen.ResourceVersion {
		return nil
	}
	hash, err := p.client().LiveHash(ctx, entry)
	if err != nil {
		return err
	}
	if hash != entry.Hash {
		p.Drifted[entry.ID] = "changed"
		return nil
	}
	t.saw(entry.ID, seen.ResourceVersion)
	return nil
}

// saw remembers that the contents of an object are what was applied.
func (t *target) saw(id apply.ID, resourceVersion string) {
	if t.compared == nil {
		t.compared = map[apply.ID]string{}
	}
	t.compared[id] = resourceVersion
}

// repair applies again what drifted, or compares everything where that is asked for.
func (p *Pass) repair(ctx context.Context) Outcome {
	t := p.target
	changes, _, err := p.send(ctx, p.Drifted, p.Verify)
	for _, c := range changes {
		what := p.Drifted[c.ID]
		if c.Action == apply.Unchanged || c.Action == apply.Skipped {
			continue
		}
		if len(c.Fields) > 0 {
			what = strings.Join(c.Fields, ", ")
		}
		p.Drifts = append(p.Drifts, drift{Object: c.ID.String(), What: what, Repaired: true, Took: p.took()})
	}
	t.fought(p.Drifted, p.Seen.Now)
	if err != nil && apply.Final(err) {
		return Outcome{Verdict: Stall, Reason: fmt.Sprintf("drift is not repaired: %v", err), After: lastOffer, Err: err}
	}
	if err != nil {
		return retry(err)
	}
	p.verified()
	return again
}

func (p *Pass) took() time.Duration {
	if p.target.drifting.since.IsZero() {
		return 0 // found by a comparison: nobody knows since when
	}
	return p.agent.now().Sub(p.target.drifting.since)
}

// report finds out which fields drifted, and tells what was not told before. An object that was looked into is looked
// into again only when it moved.
func (p *Pass) report(ctx context.Context) error {
	t, known := p.target, p.target.drifting.reported
	t.drifting.reported = map[apply.ID]reported{}
	for _, entry := range p.inRelease() {
		what, differs := p.Drifted[entry.ID]
		if !differs && !p.Verify {
			continue
		}
		seen, _ := p.site.observer.Get(rollout.ID(entry.ID))
		live := seen.UID + " " + seen.ResourceVersion + " " + what
		if known[entry.ID].live != live || p.Verify {
			found, err := p.fields(ctx, entry, what)
			if err != nil {
				t.drifting.reported = known
				return err
			}
			what = found
		} else {
			what = known[entry.ID].what
		}
		if what == "" {
			delete(p.Drifted, entry.ID)
			continue
		}
		p.Drifted[entry.ID] = what
		t.drifting.reported[entry.ID] = reported{live, what}
		if known[entry.ID].what != what {
			p.Drifts = append(p.Drifts, drift{Object: entry.ID.String(), What: what})
		}
	}
	p.verified()
	return nil
}

// fields names the fields of an object that drifted; of one that is not there, what is known.
func (p *Pass) fields(ctx context.Context, entry apply.Entry, what string) (string, error) {
	if what == "deleted" {
		return what, nil
	}
	objects, err := p.manifests(ctx)
	if err != nil {
		return "", err
	}
	for _, o := range objects {
		if apply.IDOf(o) != entry.ID {
			continue
		}
		fields, err := p.client().Drift(ctx, p.owner(), o, entry)
		if len(fields) > 0 || what == "changed" { // somebody else may have written what Git says
			what = strings.Join(fields, ", ")
		}
		return what, err
	}
	return what, nil
}

// list is all that drifted, for people, sorted.
func (d drifted) list() []string {
	var all []string
	for id, what := range d {
		all = append(all, id.String()+": "+what)
	}
	slices.Sort(all)
	return all
}
