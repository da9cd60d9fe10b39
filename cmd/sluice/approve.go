package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type approveFlags struct {
	prepareFlags
	stage int
}

func approveCommand() *cobra.Command {
	var flags approveFlags
	cmd := &cobra.Command{
		Use:   "approve APP ENV",
		Short: "Prepare the commit that lets a stage begin",
		Long: `Finds out from Git notes which stage of which release waits for a person, writes approved: into the release file beside
sluice.yaml, shows the difference, and commits that file alone, by git and on the branch of this folder. Nothing is pushed.

With --stage a stage is approved before the release waits for it; that lets the stages before it begin too.` + ledgerHelp,
		Example: "  sluice approve shop production\n  sluice approve -C apps/shop shop production --stage 3 --dry-run",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return approve(cmd, flags, args)
		},
	}
	flags.add(cmd)
	flags.addKeys(cmd)
	cmd.Flags().IntVar(&flags.stage, "stage", 0, "number of the stage, from 1; without it the one that waits")
	return cmd
}

func approve(cmd *cobra.Command, flags approveFlags, args []string) error {
	desk, err := openDesk(cmd.Context(), flags.prepareFlags, args)
	if err != nil {
		return err
	}
	defer desk.close()
	waits, err := awaited(cmd.Context(), desk, flags.stage)
	if err != nil {
		return err
	}
	return desk.prepare(cmd, edition{
		edit: func(file string, before []byte) ([]byte, error) {
			return config.Approve(file, before, config.Approval{Revision: waits.revision, Stage: waits.stage})
		},
		message: waits.message(args), already: fmt.Sprintf("approves stage %d of %.7s", waits.stage, waits.revision),
	})
}

// approval is a stage of a release that may begin.
type approval struct {
	revision  string
	stage, of int
}

func (a approval) message(args []string) string {
	return fmt.Sprintf("Approve stage %d of %d of %s in %s\n\nRelease %s\n", a.stage, a.of, args[0], args[1], a.revision)
}

// awaited finds the stage that waits for a person, or that is asked for ahead of it; 0: none is.
func awaited(ctx context.Context, d *desk, stage int) (approval, error) {
	read, err := d.notesFlags().read(ctx, d.subject())
	if err != nil {
		return approval{}, err
	}
	defer read.close()
	last := lastWords(read.lines)
	i := slices.IndexFunc(last, func(r environmentStatus) bool {
		return r.Environment == d.environment && r.Application == d.application
	})
	if i < 0 {
		return approval{}, hinted{fmt.Errorf("no agent has written anything of %s in %s", d.application, d.environment), "sluice status"}
	}
	waits, err := d.approvable(last[i], stage)
	if err != nil {
		return approval{}, err
	}
	return waits, d.upToDate(ctx, read.remotes, waits.revision)
}

// approvable says which stage of the release that a status is about may be approved.
func (d *desk) approvable(row environmentStatus, stage int) (approval, error) {
	at, of := row.Evidence.Stage, d.application+" in "+d.environment
	waits := row.Phase == policies.Holding && at.Approve
	status := "sluice status " + d.application
	switch {
	case d.keys != "" && row.Standing != record.Verified:
		return approval{}, hinted{fmt.Errorf("the last word about %s does not count: %s", of, row.Standing), status}
	case at.Of == 0 || row.Phase.Closing() || stage == 0 && !waits:
		return approval{}, hinted{fmt.Errorf("no stage of %s waits for a person: it is %s at %.7s", of, row.Phase, row.Revision), status}
	case stage == 0:
		stage = at.Number
	case stage < at.Number || stage == at.Number && !waits:
		return approval{}, hinted{fmt.Errorf("stage %d of %s began already", stage, of), status}
	case stage > at.Of:
		return approval{}, hinted{usageError{fmt.Errorf("--stage %d: there are %d stages", stage, at.Of)}, status}
	}
	return approval{revision: row.Revision, stage: stage, of: at.Of}, nil
}
