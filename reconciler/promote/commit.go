package promote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluice-cd/sluice/gitsource"
)

// Pin is a move of a pin that no person is asked for.
type Pin struct {
	Application, Environment, Revision string
	// Group is whose pins go together or not at all; empty: it goes alone as well.
	Group string

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

// pin is what a lane of one environment asks for, to be committed, or why it may not be.
func (k *Keeper) pin(ctx context.Context, l lane, revision, reason string) (*Pin, string, error) {
	if !k.MayCommit {
		return nil, "promotion by commit needs writeBack: {commit: true} of the repository in agent.yaml", nil
	}
	files, err := l.files(ctx, l.in.Tip, picks{l.file(): revision})
	if err != nil {
		return nil, reason, err
	}
	return &Pin{
		Application: l.Application, Environment: l.Environment, Revision: revision, files: files, message: l.message(picks{l.file(): revision}),
	}, reason, nil
}

// Push commits pins that are due together, in one commit. Where a rule of the server is against that, each goes alone, or with
// its group, so that it keeps none of the others. The errors are those of the pins, in their order; nil is none.
func (c Commits) Push(ctx context.Context, pins []Pin) []error {
	errs := make([]error, len(pins))
	err := c.push(ctx, pins)
	refused := errors.Is(err, gitsource.ErrRefused)
	done := map[string]error{}
	for i, pin := range pins {
		with := slices.DeleteFunc(slices.Clone(pins), func(p Pin) bool { return p.Group != pin.Group })
		before, tried := done[pin.Group]
		switch {
		case !refused || len(with) == len(pins) && pin.Group != "" || len(pins) == 1:
			errs[i] = err
		case pin.Group == "":
			errs[i] = c.push(ctx, []Pin{pin})
		case tried:
			errs[i] = before
		default:
			errs[i] = c.push(ctx, with)
			done[pin.Group] = errs[i]
		}
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

// together is the message of one commit for several pins.
func together(pins []Pin) string {
	if len(pins) == 1 {
		return pins[0].message
	}
	var messages []string
	for _, pin := range pins {
		messages = append(messages, pin.message)
	}
	return joined(fmt.Sprintf("Move the pins of %d environments", len(pins)), messages)
}

// joined is what several messages say under one subject, and then their trailers, one block after the other.
func joined(subject string, messages []string) string {
	body, trailers := "", ""
	for _, message := range messages {
		says, rest, _ := strings.Cut(message, "\n\n")
		body, trailers = body+"- "+says+"\n", trailers+rest
	}
	return subject + "\n\n" + body + "\n" + trailers
}
