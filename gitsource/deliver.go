package gitsource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// send pushes what is due and keeps as due what is worth another try.
func (d *delivery) send(ctx context.Context) {
	due := d.due
	d.due = nil
	d.post(ctx, due)
}

// post is one request. A pre-receive hook refuses all of it for the sake of one update (GitLab, Gitea and Forgejo protect
// branches in this way): those that do not belong together are then sent one by one, so that only that one is refused.
func (d *delivery) post(ctx context.Context, due []dueUpdate) {
	request := wire.Push{Options: d.push.Options, Atomic: d.push.Atomic}
	for _, u := range due {
		request.Updates = append(request.Updates, u.Update)
		d.all[u.move].Err = nil
	}
	pushed, err := d.repo.push(ctx, d.mirror, &d.builder, request)
	if err == nil && !d.push.Atomic && len(due) > 1 && allRefused(pushed.Errs) {
		for i := range due {
			d.post(ctx, due[i:i+1])
		}
		return
	}
	var unsettled []dueUpdate
	for i, u := range due {
		err := err
		if err == nil {
			err = pushed.Errs[i]
		}
		switch {
		case err == nil:
			d.all[u.move].Commit, d.all[u.move].Result, d.all[u.move].Options = u.New, Pushed, pushed.Options
		case errors.Is(err, errUnsure), errors.Is(err, ErrRace):
			d.fail(u.move, err)
			unsettled = append(unsettled, u)
		default:
			d.fail(u.move, err)
		}
	}
	if len(unsettled) > 0 {
		d.look(ctx, unsettled)
	}
}

func allRefused(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool {
		return !errors.Is(err, ErrRefused) && !errors.Is(err, ErrReadOnly)
	})
}

// look asks the server where the branches are after a push that may have arrived, or was too late: one that is where it
// was to go is done, one that is where it was is tried again, and any other one was moved by somebody else.
func (d *delivery) look(ctx context.Context, unsettled []dueUpdate) {
	var prefixes []string
	for _, u := range unsettled {
		prefixes = append(prefixes, u.Ref)
		if u.Old == "" {
			prefixes = append(prefixes, parents(u.Ref)...)
		}
	}
	refs, err := d.repo.list(ctx, prefixes)
	if err != nil {
		return // what the push said stands
	}
	now := map[string]string{}
	for _, ref := range refs {
		now[ref.Name] = ref.Hash
	}
	var again []dueUpdate
	for _, u := range unsettled {
		clash := clashing(u, now)
		switch at := now[u.Ref]; {
		case at == u.New:
			d.all[u.move] = Written{Ref: u.Ref, Commit: u.New, Result: arrived(d.all[u.move].Err)}
		case clash != "":
			d.fail(u.move, fmt.Errorf("%w: %s exists: delete or rename it", ErrClash, clash))
		case at == u.Old:
			again = append(again, u)
		case at == "":
			d.fail(u.move, fmt.Errorf("%w: it is gone, and was to be at %s", ErrRace, u.Old))
		case u.Old == "":
			d.fail(u.move, fmt.Errorf("%w: it exists, at %s", ErrRace, at))
		default:
			d.fail(u.move, fmt.Errorf("%w: it is at %s, and was to be at %s", ErrRace, at, u.Old))
		}
	}
	d.retry(again)
}

// arrived is the result of an update that is seen to be done, by what was said of the push.
func arrived(said error) WriteResult {
	if errors.Is(said, ErrRace) {
		return Present
	}
	return Pushed
}

// retry keeps updates as due. Their errors stand until they are sent again.
func (d *delivery) retry(again []dueUpdate) {
	said := make([]error, len(again))
	for i, u := range again {
		said[i], d.all[u.move].Err = d.all[u.move].Err, nil
	}
	d.due = append(d.due, again...)
	if d.allOrNone() {
		return
	}
	for i, u := range again {
		d.all[u.move].Err = said[i]
	}
}

// parents are the names that may not be references themselves where ref is to be one.
func parents(ref string) []string {
	var names []string
	for i := len("refs/heads/"); i < len(ref); i++ {
		if ref[i] == '/' {
			names = append(names, ref[:i])
		}
	}
	return names
}

// clashing is a reference that bars a new one, as Git keeps them in folders and files; "" where none does.
func clashing(u dueUpdate, now map[string]string) string {
	if u.Old != "" {
		return ""
	}
	for _, name := range parents(u.Ref) {
		if now[name] != "" {
			return name
		}
	}
	least := ""
	for name := range now {
		if strings.HasPrefix(name, u.Ref+"/") && (least == "" || name < least) {
			least = name
		}
	}
	return least
}
