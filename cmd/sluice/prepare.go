package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// prepareFlags are those of the commands that prepare a commit of an environment's release file.
type prepareFlags struct {
	dir, ledger, keys, credentials string
	request                        string // the forge that a merge request is opened at; empty: none is
	push, dryRun                   bool
}

func (f *prepareFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.dir, "directory", "C", ".", "folder of sluice.yaml")
	ledgerFlag(cmd, &f.ledger)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show the difference")
	cmd.Flags().StringVar(&f.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt")
}

func (f *prepareFlags) addKeys(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.keys, "keys", "", "file with public keys, one a line: only signed words count")
}

// desk is where such a command works: an environment of a working folder, and the clones around it.
type desk struct {
	prepareFlags
	application, environment string
	place                    checkout
	app                      *config.Application
	env                      *config.Environment
	clones                   clones
}

// openDesk opens the environment that the arguments name, APP ENV.
func openDesk(ctx context.Context, flags prepareFlags, args []string) (*desk, error) {
	place, err := locate(ctx, flags.dir, "")
	if err != nil {
		return nil, err
	}
	d := &desk{prepareFlags: flags, application: args[0], environment: args[1], place: place}
	if d.app, d.env, err = place.environment(args); err == nil {
		d.clones, err = openClones(ctx, flags.dir, flags.ledger)
	}
	if err != nil {
		place.close()
		return nil, err
	}
	return d, nil
}

func (d *desk) close() { d.place.close() }

func (d *desk) subject() record.Subject {
	return record.Subject{Application: d.application, Environment: d.environment}
}

func (d *desk) notesFlags() notesFlags {
	return notesFlags{repository: d.clones.code.root, ledger: d.ledger, keys: d.keys, credentials: d.credentials}
}

// upToDate refuses clones that are behind: what is to be committed to lacks what its branch has on the server, or the code a
// revision that is needed; empty: none is.
func (d *desk) upToDate(ctx context.Context, of remotes, needed string) error {
	branch := "refs/heads/" + d.clones.ledger.branch
	refs, err := of.ledger.Refs(ctx, branch)
	if err != nil {
		return err
	}
	if err := d.clones.ledger.reaches(ctx, refs[branch]); err != nil {
		return err
	}
	return d.clones.code.has(ctx, needed)
}

// file is the path of the release file, from where the command was called.
func (d *desk) file() string {
	dir := d.dir
	if d.ledger != "" {
		root, of := inLedger(d.ledger, d.app)
		dir = filepath.Join(root, of)
	}
	return filepath.Join(dir, filepath.FromSlash(config.ReleasePath(d.environment)))
}

// edition is another text of a release file.
type edition struct {
	edit    func(file string, before []byte) ([]byte, error)
	message string // of the commit
	already string // what the file does where nothing is to be changed, such as "pins 4f1c0c2"
}

// prepare shows how the release file changes and commits that file alone, and pushes it or opens a merge request where that was
// asked for.
func (d *desk) prepare(cmd *cobra.Command, e edition) error {
	ctx, file, clone, talk := cmd.Context(), d.file(), d.clones.ledger, cmd.ErrOrStderr()
	if err := clone.unchanged(ctx, file); err != nil {
		return err
	}
	client, err := d.forge()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	after, err := e.edit(file, before)
	if err != nil {
		return err
	}
	if string(after) == string(before) {
		fmt.Fprintf(talk, "%s %s already\n", file, e.already)
	} else {
		fmt.Fprint(cmd.OutOrStdout(), difference(file, string(before), string(after)))
		if d.dryRun {
			return nil
		}
		commit, err := clone.commit(ctx, file, after, e.message)
		if err != nil {
			return err
		}
		fmt.Fprintf(talk, "Committed %.7s to %s\n", commit, clone.branch)
		if client != nil {
			return d.open(cmd, client, e.message)
		}
	}
	if !d.push || d.dryRun {
		fmt.Fprintln(talk, "Try: "+clone.command("push"))
		return nil
	}
	if _, err := clone.git(ctx, "push", "--quiet", "origin", "HEAD:refs/heads/"+clone.branch); err != nil {
		return err
	}
	fmt.Fprintf(talk, "Pushed to %s\n", clone.branch)
	return nil
}
