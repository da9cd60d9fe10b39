package promote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
)

// Pin is a move of a pin that no person is asked for.
type Pin struct {
	Application, Environment, Revision string

	files   gitsource.Files
	message string
}

// Commits puts pins on the polled branch that has them.
type Commits struct {
	Git *gitsource.Repository
	Log *slog.Logger
	Now time.Time
	// Branch is that one, and Tip where it is.
	Branch, Tip string
}

// pin is what a lane asks for, to be committed, or why it may not be.
func (k *Keeper) pin(ctx context.Context, l lane, revision, reason string) (*Pin, string, error) {
	if !k.MayCommit {
		return nil, "promotion by commit needs writeBack: {commit: true} of the repository in agent.yaml", nil
	}
	files, err := l.files(ctx, l.in.Tip, revision)
	if err != nil {
		return nil, reason, err
	}
	return &Pin{l.Application, l.Environment, revision, files, l.message(revision)}, reason, nil
}

// Push commits pins that are due together, in one commit. Where a rule of the server is against that, each goes alone, so that
// it keeps none of the others. The errors are those of the pins, in their order; nil is none.
func (c Commits) Push(ctx context.Context, pins []Pin) []error {
	errs := make([]error, len(pins))
	err := c.push(ctx, pins)
	if len(pins) > 1 && errors.Is(err, gitsource.ErrRefused) {
		for i, pin := range pins {
			errs[i] = c.push(ctx, []Pin{pin})
		}
		return errs
	}
	for i := range errs {
		errs[i] = err
	}
	return errs
}

func (c *Commits) push(ctx context.Context, pins []Pin) error {
	files := gitsource.Files{}
	for _, pin := range pins {
		maps.Copy(files, pin.files)
	}
	written, err := c.Git.AppendCommit(ctx, gitsource.Change{
		Ref: "refs/heads/" + c.Branch, Base: c.Tip, Files: files, Message: together(pins), Time: c.Now,
	})
	if err != nil {
		return fmt.Errorf("commit %s: %w", pinned(pins), err)
	}
	c.Tip = written.Commit
	for _, pin := range pins {
		c.Log.Info("Pin was committed", "app", pin.Application, "env", pin.Environment, "revision", pin.Revision, "commit", written.Commit)
	}
	return nil
}

// pinned names them.
func pinned(pins []Pin) string {
	var names []string
	for _, pin := range pins {
		names = append(names, pin.Application+"/"+pin.Environment)
	}
	return strings.Join(names, ", ")
}

// together is the message of one commit for several pins: what each says, and then their trailers, one block after the other.
func together(pins []Pin) string {
	if len(pins) == 1 {
		return pins[0].message
	}
	subject, body, trailers := fmt.Sprintf("Move the pins of %d environments\n\n", len(pins)), "", ""
	for _, pin := range pins {
		says, rest, _ := strings.Cut(pin.message, "\n\n")
		body, trailers = body+"- "+says+"\n", trailers+rest
	}
	return subject + body + "\n" + trailers
}
