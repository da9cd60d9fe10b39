package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	output                         string
	push, dryRun                   bool
}

func (f *prepareFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.dir, "directory", "C", ".", "folder of sluice.yaml")
	ledgerFlag(cmd, &f.ledger)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show the difference")
	cmd.Flags().StringVar(&f.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt")
	outputFlag(cmd, &f.output, "text", "json")
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

// prepared is what these commands print with -o json. It is a contract: keys are added, and none changes its meaning.
type prepared struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
	File        string `json:"file,omitempty"` // the release file
	// Difference is a unified one of File; empty: it says already what was asked for.
	Difference string `json:"difference,omitempty"`
	Commit     string `json:"commit,omitempty"`
	Branch     string `json:"branch,omitempty"` // that has the commit
	Pushed     bool   `json:"pushed"`
	Request    string `json:"request,omitempty"` // address of the merge request
	// Commands are left for a person to run, in this order.
	Commands []string `json:"commands,omitempty"`
}

// prepare shows how the release file changes and commits that file alone, and pushes it or opens a merge request where that was
// asked for.
func (d *desk) prepare(cmd *cobra.Command, e edition) error {
	made := prepared{Application: d.application, Environment: d.environment, File: d.file()}
	if err := d.carryOut(cmd, e, &made); err != nil || d.output != "json" {
		return err
	}
	return made.print(cmd.OutOrStdout())
}

func (p prepared) print(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(p)
}

// carryOut does what prepare says, and notes how far it came.
func (d *desk) carryOut(cmd *cobra.Command, e edition, made *prepared) error {
	ctx, clone, talk := cmd.Context(), d.clones.ledger, cmd.ErrOrStderr()
	if err := clone.unchanged(ctx, made.File); err != nil {
		return err
	}
	client, err := d.forge()
	if err != nil {
		return err
	}
	before, err := os.ReadFile(made.File)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	after, err := e.edit(made.File, before)
	if err != nil {
		return err
	}
	if string(after) == string(before) {
		fmt.Fprintf(talk, "%s %s already\n", made.File, e.already)
	} else {
		made.Difference = difference(made.File, string(before), string(after))
		if d.output != "json" {
			fmt.Fprint(cmd.OutOrStdout(), made.Difference)
		}
		if d.dryRun {
			return nil
		}
		if made.Commit, err = clone.commit(ctx, made.File, after, e.message); err != nil {
			return err
		}
		made.Branch = clone.branch
		fmt.Fprintf(talk, "Committed %.7s to %s\n", made.Commit, clone.branch)
		if client != nil {
			return d.open(cmd, client, e.message, made)
		}
	}
	if !d.push || d.dryRun {
		made.Commands = []string{clone.command("push")}
		fmt.Fprintln(talk, "Try: "+made.Commands[0])
		return nil
	}
	if _, err := clone.git(ctx, "push", "--quiet", "origin", "HEAD:refs/heads/"+clone.branch); err != nil {
		return err
	}
	made.Pushed = true
	fmt.Fprintf(talk, "Pushed to %s\n", clone.branch)
	return nil
}
