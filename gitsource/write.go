package gitsource

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// A push whose answer was lost, or that met another one in flight, is sent up to pushTries times; with the pauses of
// AppendNotes that takes 0.35 s at most.
const pushTries = 4

// Push is one request that moves branches.
type Push struct {
	Moves []Move
	// Options are for the server, such as "merge_request.create". One that takes none does not get them; see Written.
	Options []string
	// Atomic asks for all or none, where the server can. Otherwise each Move stands for itself, which takes a request for
	// each where a hook refuses them together: leave one that was refused out of the next Push.
	Atomic bool
}

// AppendCommit pushes one Change.
func (r *Repository) AppendCommit(ctx context.Context, c Change, options ...string) (Written, error) {
	return first(r.Push(ctx, Push{Moves: []Move{c}, Options: options}))
}

// Publish pushes one Branch.
func (r *Repository) Publish(ctx context.Context, b Branch, options ...string) (Written, error) {
	return first(r.Push(ctx, Push{Moves: []Move{b}, Options: options}))
}

// Remove pushes one Removal.
func (r *Repository) Remove(ctx context.Context, gone Removal) error {
	_, err := r.Push(ctx, Push{Moves: []Move{gone}})
	return err
}

func first(all []Written, err error) (Written, error) {
	if len(all) == 0 {
		return Written{}, err
	}
	return all[0], err
}

// Push moves branches by one request, each only from where it was last seen: when somebody else was faster, it is ErrRace.
// What a Move leaves as it is is not sent; when that is all of them, nothing is. A reference that may not be written is
// ErrForbiddenRef, before anything is sent. Otherwise each Move has its own error: ErrNotFound when the mirror lacks what
// it builds on, ErrRace, ErrClash, ErrReadOnly, ErrProtected, ErrRefused, ErrAuth or ErrUnavailable, after which it may
// have arrived; the error returned joins them. There is one Written for each Move, in their order, or none at all.
func (r *Repository) Push(ctx context.Context, p Push) ([]Written, error) {
	if err := r.checkPush(p); err != nil {
		return nil, fmt.Errorf("push to %q: %w", r.address, err)
	}
	m := r.reader()
	defer m.release()
	d := delivery{repo: r, push: p, mirror: m, builder: builder{repo: r, mirror: m}, all: make([]Written, len(p.Moves))}
	d.build()
	for try := 0; len(d.due) > 0 && try < pushTries; try++ {
		if try > 0 {
			if err := pause(ctx, try); err != nil {
				break // what is still due has its error
			}
		}
		d.send(ctx)
	}
	return d.all, d.errs()
}

func (r *Repository) checkPush(p Push) error {
	refs := map[string]bool{}
	for _, move := range p.Moves {
		if err := move.check(r); err != nil {
			return err
		}
		if refs[move.name()] {
			return fmt.Errorf("%q is moved twice", move.name())
		}
		refs[move.name()] = true
	}
	for _, o := range p.Options {
		if o == "" || strings.ContainsAny(o, "\n\x00") || len(o) > 60_000 { // Git's longest packet holds 65516 bytes
			return fmt.Errorf("push option %.40q is empty, too long or has a line break", o)
		}
	}
	return nil
}

// delivery is one Push on its way.
type delivery struct {
	repo    *Repository
	push    Push
	mirror  *mirror
	builder builder
	all     []Written
	due     []dueUpdate // what still has to be sent
}

type dueUpdate struct {
	wire.Update
	move int // index of its Move
}

func (d *delivery) build() {
	for i, move := range d.push.Moves {
		update, written, err := move.build(&d.builder)
		written.Ref = move.name()
		if d.all[i] = written; err != nil {
			d.fail(i, err)
		} else if written.Result == "" {
			d.due = append(d.due, dueUpdate{update, i})
		}
	}
	d.allOrNone()
}

// allOrNone gives up what is due when something else failed for good and all belong together, and says whether it did.
func (d *delivery) allOrNone() bool {
	if !d.push.Atomic {
		return false
	}
	for _, w := range d.all {
		if w.Err == nil {
			continue
		}
		for _, u := range d.due {
			d.all[u.move].Err = fmt.Errorf("not pushed since all belong together: %w", w.Err)
		}
		d.due = nil
		return true
	}
	return false
}

func (d *delivery) fail(move int, err error) {
	ref := d.all[move].Ref
	switch {
	case errors.Is(err, ErrProtected):
		err = fmt.Errorf("%w; %s", err, d.advice(ref))
	case errors.Is(err, wire.ErrIncomplete): // its history was rewritten and cleared away
		err = fmt.Errorf("%w: %w", ErrRace, err)
	}
	d.all[move].Err = fmt.Errorf("push %q to %q: %w", ref, d.repo.address, err)
}

// advice is what makes a protected branch one that the agent can write.
func (d *delivery) advice(ref string) string {
	switch {
	case d.push.Atomic && len(d.push.Moves) > 1:
		return "let the agent's user write every branch of the request, or do it by merge request"
	case strings.HasPrefix(ref, BranchPrefix):
		return "let the agent's user push to, replace and delete branches below " + BranchPrefix
	}
	return "let the agent's user push to " + ref + ", or do it by merge request"
}

func (d *delivery) errs() error {
	var errs []error
	for _, w := range d.all {
		if w.Err != nil {
			errs = append(errs, w.Err)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
