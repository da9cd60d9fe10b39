package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type approveFlags struct {
	dir, ledger, keys, credentials string
	stage                          int
	dryRun                         bool
}

func approveCommand() *cobra.Command {
	var flags approveFlags
	cmd := &cobra.Command{
		Use:   "approve APP ENV",
		Short: "Prepare the commit that lets a stage begin",
		Long: `Finds out from Git notes which stage of which release waits for a person, writes approved: into the release file beside
sluice.yaml, shows the difference, and commits that file alone, by git and on the branch of this folder. Nothing is pushed.

Where the agent keeps a ledger, --ledger names a clone of it: notes and release file are there, and the commit is made there.

With --stage a stage is approved before the release waits for it; that lets the stages before it begin too.`,
		Example: "  sluice approve shop production\n  sluice approve -C apps/shop shop production --stage 3 --dry-run",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return approve(cmd, flags, args)
		},
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder of sluice.yaml")
	ledgerFlag(cmd, &flags.ledger)
	cmd.Flags().IntVar(&flags.stage, "stage", 0, "number of the stage, from 1; without it the one that waits")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "only show the difference")
	cmd.Flags().StringVar(&flags.keys, "keys", "", "file with public keys, one a line: only a signed word counts")
	cmd.Flags().StringVar(&flags.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt")
	return cmd
}

func approve(cmd *cobra.Command, flags approveFlags, args []string) error {
	ctx := cmd.Context()
	place, err := locate(ctx, flags.dir, "")
	if err != nil {
		return err
	}
	defer place.close()
	app, env, err := place.environment(args)
	if err != nil {
		return err
	}
	clone, err := openClone(ctx, orDir(flags.ledger, flags.dir))
	if err != nil {
		return err
	}
	waits, err := awaited(ctx, clone, flags, args)
	if err != nil {
		return err
	}
	file := releaseFile(flags.dir, flags.ledger, app, env.Name)
	if err := clone.unchanged(ctx, file); err != nil {
		return err
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	after, err := config.Approve(file, before, config.Approval{Revision: waits.revision, Stage: waits.stage})
	if err != nil {
		return err
	}
	if string(after) == string(before) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s approves stage %d of %.7s already\nTry: git push\n", file, waits.stage, waits.revision)
		return nil
	}
	fmt.Fprint(cmd.OutOrStdout(), difference(file, string(before), string(after)))
	if flags.dryRun {
		return nil
	}
	commit, err := clone.commit(ctx, file, after, waits.message(args))
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Committed %.7s to %s\nTry: git push\n", commit, clone.branch)
	return nil
}

// approval is a stage of a release that may begin.
type approval struct {
	revision  string
	stage, of int
}

func (a approval) message(args []string) string {
	return fmt.Sprintf("Approve stage %d of %d of %s in %s\n\nRelease %s\n", a.stage, a.of, args[0], args[1], a.revision)
}

// awaited finds the stage that waits for a person, or that is asked for ahead of it.
func awaited(ctx context.Context, clone *clone, flags approveFlags, args []string) (approval, error) {
	keys, err := readKeys(flags.keys)
	if err != nil {
		return approval{}, err
	}
	remote, done, err := openRemote(statusFlags{repository: clone.root, credentials: flags.credentials})
	if err != nil {
		return approval{}, err
	}
	defer done()
	rows, err := readRows(ctx, remote, keys)
	if err != nil {
		return approval{}, err
	}
	i := slices.IndexFunc(rows, func(r environmentStatus) bool { return r.Application == args[0] && r.Environment == args[1] })
	if i < 0 {
		return approval{}, hinted{fmt.Errorf("no agent has written anything of %s in %s", args[0], args[1]), "sluice status"}
	}
	waits, err := approvable(rows[i], flags, args)
	if err != nil {
		return approval{}, err
	}
	refs, err := remote.Refs(ctx, "refs/heads/"+clone.branch)
	if err != nil {
		return approval{}, err
	}
	revision := waits.revision
	if flags.ledger != "" {
		revision = "" // it is one of the code
	}
	return waits, clone.has(ctx, revision, refs["refs/heads/"+clone.branch])
}

// approvable says which stage of the release that a status is about may be approved.
func approvable(row environmentStatus, flags approveFlags, args []string) (approval, error) {
	at, stage := row.Evidence.Stage, flags.stage
	waits := row.Phase == policies.Holding && at.Approve
	status := "sluice status " + args[0]
	switch {
	case flags.keys != "" && row.Standing != record.Verified:
		return approval{}, hinted{fmt.Errorf("the last word about %s in %s does not count: %s", args[0], args[1], row.Standing), status}
	case at.Of == 0 || row.Phase.Closing() || stage == 0 && !waits:
		return approval{}, hinted{fmt.Errorf("no stage of %s in %s waits for a person: it is %s at %.7s", args[0], args[1], row.Phase, row.Revision), status}
	case stage == 0:
		stage = at.Number
	case stage < at.Number || stage == at.Number && !waits:
		return approval{}, hinted{fmt.Errorf("stage %d of %s in %s began already", stage, args[0], args[1]), status}
	case stage > at.Of:
		return approval{}, hinted{usageError{fmt.Errorf("--stage %d: there are %d stages", stage, at.Of)}, status}
	}
	return approval{revision: row.Revision, stage: stage, of: at.Of}, nil
}
