package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type rollbackFlags struct {
	prepareFlags
	to string
}

func rollbackCommand() *cobra.Command {
	var flags rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback APP ENV",
		Short: "Prepare the commit that brings an earlier release back",
		Long: `Finds out from Git notes which release was proven before the one that an environment is at, and prepares the way back to it,
or to the release of --to. What was left by a failure or by a roll-back is not among them: it takes the stages.

Where the environment follows a pin, it is written into the release file, and that file alone is committed, by git and on
the branch of this folder. Nothing is pushed without --push or --request. Elsewhere the commits are to be reverted that brought the
releases since, and the commands are printed.` + ledgerHelp,
		Example: "  sluice rollback shop production --push\n  sluice rollback -C apps/shop shop production --to 4f1c0c2 --dry-run",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE:    func(cmd *cobra.Command, args []string) error { return rollBack(cmd, flags, args) },
	}
	flags.add(cmd)
	flags.addKeys(cmd)
	flags.addPush(cmd)
	cmd.Flags().StringVar(&flags.to, "to", "", "revision to go back to, 7 digits of it at least; without it the one that was proven before")
	return cmd
}

func rollBack(cmd *cobra.Command, flags rollbackFlags, args []string) error {
	ctx := cmd.Context()
	desk, err := openDesk(ctx, flags.prepareFlags, args)
	if err != nil {
		return err
	}
	defer desk.close()
	lines, err := wordsOf(ctx, desk)
	if err != nil {
		return err
	}
	from, to, err := wayBack(lines, flags.to, args)
	if err != nil {
		return err
	}
	if !desk.env.Follow.Pin {
		if flags.push || flags.request != "" {
			return hinted{usageError{fmt.Errorf("%s follows no pin: what is to be reverted is for you to look at", desk.environment)}, "sluice rollback " + strings.Join(args, " ")}
		}
		commands, err := desk.clones.code.reverts(ctx, lines, from, to)
		if err == nil && flags.output == "json" {
			return prepared{Application: args[0], Environment: args[1], Commands: commands}.print(cmd.OutOrStdout())
		}
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), strings.Join(commands, "\n"))
		}
		return err
	}
	return desk.prepare(cmd, edition{
		edit:    func(file string, before []byte) ([]byte, error) { return config.Pin(file, before, to.Revision) },
		message: fmt.Sprintf("Roll back %s in %s to %.7s\n\nFrom %s\nTo %s\n", args[0], args[1], to.Revision, from.Revision, to.Revision),
		already: fmt.Sprintf("pins %.7s", to.Revision),
	})
}

// wordsOf are the lines about an environment, the newest first, where keys are given those that count; a clone that is behind
// is refused.
func wordsOf(ctx context.Context, d *desk) ([]record.Line, error) {
	read, err := d.notesFlags().read(ctx, d.subject())
	if err != nil {
		return nil, err
	}
	defer read.close()
	lines := record.History(read.told(d.subject()), d.subject())
	if len(lines) == 0 {
		return nil, hinted{fmt.Errorf("no agent has written anything that counts of %s in %s", d.application, d.environment), "sluice status " + d.application}
	}
	return lines, d.upToDate(ctx, read.remotes, lines[0].Revision)
}

// wayBack is the line of the release that the environment is at, and of the one to go back to.
func wayBack(lines []record.Line, to string, args []string) (from, back record.Line, err error) {
	sequence := record.Sequence(lines, lines[0].Subject())
	from, left := lines[0], -1
	at := slices.IndexFunc(lines, func(l record.Line) bool { return l.Phase == policies.Healthy })
	if under := lines[0].Phase; at >= 0 && (under == policies.Healthy || under.Closing() || under == policies.Pending || under == policies.Blocked) {
		from = lines[at]
		left = slices.IndexFunc(sequence, func(p record.Proof) bool { return p.Healthy.SameRelease(from) })
	}
	status := "sluice status " + args[0]
	for _, proof := range sequence[left+1:] {
		switch named := len(to) >= 7 && strings.HasPrefix(proof.Healthy.Revision, to); {
		case to != "" && !named:
		case proof.Left.Phase == "":
			return from, proof.Healthy, nil
		case named:
			return from, back, hinted{fmt.Errorf("%.7s is proven in %s no more: %s: %s", proof.Healthy.Revision, args[1], proof.Left.Phase, proof.Left.Reason), status}
		}
	}
	if to != "" {
		return from, back, hinted{fmt.Errorf("%s is not a revision that was proven in %s before %.7s", to, args[1], from.Revision), status}
	}
	return from, back, hinted{fmt.Errorf("nothing was proven in %s before %.7s", args[1], from.Revision), status}
}

// reverts are the commands that take back the commits that brought the releases since one that was proven, the newest first.
func (c *clone) reverts(ctx context.Context, lines []record.Line, from, to record.Line) (commands []string, err error) {
	since, err := c.git(ctx, "rev-list", "--topo-order", "--parents", to.Revision+"..HEAD")
	if err != nil {
		return nil, err
	}
	brought := map[string]bool{cmp.Or(from.Trigger, from.Revision): true}
	for _, line := range lines {
		if line.Seq > to.Seq {
			brought[cmp.Or(line.Trigger, line.Revision)] = true
		}
	}
	for line := range strings.Lines(since) {
		commit := strings.Fields(line)
		switch {
		case !brought[commit[0]] || commit[0] == to.Trigger:
		case len(commit) > 2:
			commands = append(commands, fmt.Sprintf("git revert --no-edit -m 1 %s", commit[0]))
		default:
			commands = append(commands, fmt.Sprintf("git revert --no-edit %s", commit[0]))
		}
	}
	if len(commands) == 0 {
		return nil, hinted{fmt.Errorf("no commit on %s brought what came after %.7s", c.branch, to.Revision), "git pull"}
	}
	return append(commands, "git push"), nil
}
