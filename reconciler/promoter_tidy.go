package reconciler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
)

// asking names the environments whose promotion is asked for by requests.
func asking(subjects map[Key]place) string {
	var keys []string
	for key, at := range subjects {
		if env, ok := at.app.Environment(key.Environment); ok && env.Promotion != nil && env.Promotion.By == config.ByMergeRequest {
			keys = append(keys, key.String()+" "+env.Promotion.Group)
		}
	}
	slices.Sort(keys)
	return strings.Join(keys, " ")
}

// tidy withdraws the requests of promotions that are none any more, as sluice.yaml says it: nobody would look after them. What it
// does not speak of may be another agent's.
func (p *promoter) tidy(ctx context.Context, refs map[string]string) error {
	var faults []error
	for ref := range refs {
		name, found := strings.CutPrefix(ref, promotions)
		application, environment, whole := strings.Cut(name, "/")
		if !found || !whole {
			continue
		}
		key := Key{application, environment}
		served, ok := p.agent.config.Serves(environment)
		if !ok || !p.agent.sites[served.Cluster].ready() {
			continue
		}
		at, why := p.ended(key)
		if why == "" {
			continue
		}
		err := p.keeper(key, p.agent.sites[served.Cluster]).Withdraw(ctx, p.subject(key, at), why)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", key, err))
		}
	}
	return errors.Join(append(faults, p.tidyGroups(ctx, refs))...)
}

// tidyGroups withdraws the requests of groups that nobody is in any more, whoever serves them. While a file is faulty, or there is
// a newer one, nobody knows.
func (p *promoter) tidyGroups(ctx context.Context, refs map[string]string) error {
	at, there := p.source.at()
	if may := p.source.repo.WriteBack.Promote; may != nil && !*may || !there || len(at.snap.apps) == 0 {
		return nil
	}
	in := map[string]bool{}
	for _, d := range at.snap.apps {
		if d.broken || d.app == nil || len(d.faults) > 0 {
			return nil
		}
		for _, env := range d.app.Environments {
			if group := groupOf(env); group != "" && env.Promotion.By == config.ByMergeRequest && env.State != config.Absent {
				in[p.groupRef(group)] = true
			}
		}
	}
	left := p.leftGroups(refs, in)
	if len(left) == 0 {
		return nil
	}
	newest, err := p.source.git.Refs(ctx, "refs/heads/"+p.source.repo.Branch)
	if err != nil || at.snap.tip != newest["refs/heads/"+p.source.repo.Branch] {
		return err
	}
	at.discovered = at.snap.apps[0]
	of := Key{at.app.Metadata.Name, at.app.Environments[0].Name}
	var faults []error
	for _, name := range left {
		err := p.keeper(Key{"", name}, nil).WithdrawGroup(ctx, name, p.subject(of, at), "nobody is in the group any more")
		if err != nil {
			faults = append(faults, fmt.Errorf("group %s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

// leftGroups are the groups of this repository that have a branch, and whose branches are not in use. What other repositories have
// in the same ledger is not among them.
func (p *promoter) leftGroups(refs map[string]string, in map[string]bool) (left []string) {
	for ref := range refs {
		name, found := strings.CutPrefix(ref, "refs/heads/"+promote.GroupBranch(p.source.repo, ""))
		if found && !in[ref] && !strings.Contains(name, "/") {
			left = append(left, name)
		}
	}
	return left
}

// ended says why an environment is promoted to no more, or by no request; empty: it is, or nobody knows. What is paused, or faulty
// for a while, keeps its request.
func (p *promoter) ended(key Key) (at place, why string) {
	if heir, ok := p.agent.catalog.heir(key); ok {
		at, err := p.agent.catalog.find(heir.Application)
		if err != nil || at.source != p.source {
			return place{}, ""
		}
		return at, fmt.Sprintf("it is %s now", heir)
	}
	at, err := p.agent.catalog.find(key.Application)
	if err != nil || at.source != p.source || at.broken || len(at.faults.For(key.Environment)) > 0 {
		return place{}, ""
	}
	switch env, ok := at.app.Environment(key.Environment); {
	case !ok:
		return at, "the environment is not in sluice.yaml any more"
	case env.State == config.Absent:
		return at, "the environment is absent"
	case env.Promotion == nil:
		return at, "the environment is not promoted to any more"
	case env.Promotion.Group != "":
		return at, "it is asked for together with the group " + env.Promotion.Group
	case env.Promotion.By != config.ByMergeRequest:
		return at, fmt.Sprintf("the environment is promoted to by: %s now", env.Promotion.By)
	}
	return place{}, ""
}
