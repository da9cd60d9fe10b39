package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

// notesPatience is how long a plan waits for notes: it can do without them.
const notesPatience = 15 * time.Second

// ask adds to a preview what its release would be to the environment, by the agent's state where that could be read, else by
// notes. Outside of a clone nothing is known of that, and notes that cannot be read are told of.
func (f planFlags) ask(ctx context.Context, talk io.Writer, place checkout, app *config.Application, words config.Release, of *reconciler.PreviewOf) {
	if of.Rules.Follow.Pin && f.revision == "" && words.Revision != "" {
		of.Asked, of.Pinned = f.pinned(ctx, words.Revision, app, of.Rules), true
	}
	abs, err := filepath.Abs(f.dir)
	if err != nil || repositoryRoot(abs) == "" {
		return
	}
	if _, err := originOf(abs); err != nil {
		return // there is no server that could have notes
	}
	within, cancel := context.WithTimeout(ctx, notesPatience)
	defer cancel()
	if err := f.askNotes(within, place, words, of); err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		fmt.Fprintf(talk, "What the release would be to %s is not known: %v\n", of.Environment, err)
	}
}

func (f planFlags) askNotes(ctx context.Context, place checkout, words config.Release, of *reconciler.PreviewOf) error {
	clones, err := openClones(ctx, f.dir, f.ledger)
	if err != nil {
		return err
	}
	read, err := notesFlags{repository: clones.code.root, ledger: f.ledger, keys: f.keys, credentials: f.credentials}.read(ctx, record.Subject{Application: of.Application})
	if err != nil {
		return err
	}
	defer read.close()
	subject := record.Subject{Application: of.Application, Environment: of.Environment}
	of.State = of.Saved.State
	if of.State.Phase == "" {
		of.State = reconciler.StateOf(read.told(subject), subject)
	}
	revision := of.Asked.Revision
	if !of.Rules.Follow.Pin || revision == "" {
		return nil
	}
	seen, err := read.promotion(ctx, clones, place.dir, subject)
	if err != nil {
		return err
	}
	keeper := &promote.Keeper{Git: read.code, Log: slog.New(slog.DiscardHandler)}
	of.Blocked, err = keeper.Blocked(ctx, seen, revision, words.Hotfix != nil && words.Hotfix.Revision == revision)
	return err
}

// pinned is the release that is pinned. Of a commit that this clone does not have the revision alone is known.
func (f planFlags) pinned(ctx context.Context, pin string, app *config.Application, env config.Environment) policies.Release {
	release := policies.Release{Revision: pin}
	place, err := locate(ctx, f.dir, pin)
	if err != nil {
		return release
	}
	defer place.close()
	if env.Source, err = config.LoadSource(place.tree, place.dir, env.Name, env.Was...); err != nil {
		return release
	}
	made, err := place.render(ctx, app, &env, render.Capabilities{})
	if err != nil {
		return release
	}
	release.Inputs, release.Digest = made.Inputs, made.Digest
	return release
}
