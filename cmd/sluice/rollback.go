package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type rollbackFlags struct {
	dir, ledger, to, keys, credentials string
	push, dryRun                       bool
}

func rollbackCommand() *cobra.Command {
	var flags rollbackFlags
	cmd := &cobra.Command{
		Use:   "rollback APP ENV",
		Short: "Prepare the commit that brings an earlier release back",
		Long: `Finds out from Git notes which release was proven before the one that an environment is at, and prepares the way back to it,
or to the release of --to. What was left by a failure or by a roll-back is not among them: it takes the stages.

Where the environment follows a pin, it is written into the release file, and that file alone is committed, by git and on
the branch of this folder. Nothing is pushed without --push. Elsewhere the commits are to be reverted that brought the
releases since, and the commands are printed.

Where the agent keeps a ledger, --ledger names a clone of it: notes and release file are there, and the commit is made there.`,
		Example: "  sluice rollback shop production --push\n  sluice rollback -C apps/shop shop production --to 4f1c0c2 --dry-run",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE:    func(cmd *cobra.Command, args []string) error { return rollBack(cmd, flags, args) },
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder of sluice.yaml")
	ledgerFlag(cmd, &flags.ledger)
	cmd.Flags().StringVar(&flags.to, "to", "", "revision to go back to, 7 digits of it at least; without it the one that was proven before")
	cmd.Flags().BoolVar(&flags.push, "push", false, "push the commit")
	cmd.Flags().BoolVar(&flags.dryRun, "dry-run", false, "only show the difference")
	cmd.Flags().StringVar(&flags.keys, "keys", "", "file with public keys, one a line: only signed words count")
	cmd.Flags().StringVar(&flags.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt")
	return cmd
}

func rollBack(cmd *cobra.Command, flags rollbackFlags, args []string) error {
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
	lines, err := wordsOf(ctx, clone, flags, args)
	if err != nil {
		return err
	}
	from, to, err := wayBack(lines, flags.to, args)
	if err != nil {
		return err
	}
	if !env.Follow.Pin {
		if flags.push {
			return hinted{usageError{fmt.Errorf("--push: %s follows no pin: what is to be reverted is for you to look at", env.Name)}, "sluice rollback " + strings.Join(args, " ")}
		}
		if clone, err = openClone(ctx, flags.dir); err != nil {
			return err
		}
		return clone.printReverts(ctx, cmd.OutOrStdout(), lines, from, to)
	}
	return movePin(cmd, clone, releaseFile(flags.dir, flags.ledger, app, env.Name), flags, args, from, to)
}

// wordsOf are the lines about an environment, where keys are given those that count; a clone that is behind is refused.
func wordsOf(ctx context.Context, clone *clone, flags rollbackFlags, args []string) ([]record.Line, error) {
	keys, err := readKeys(flags.keys)
	if err != nil {
		return nil, err
	}
	remote, done, err := openRemote(statusFlags{repository: clone.root, credentials: flags.credentials})
	if err != nil {
		return nil, err
	}
	defer done()
	notes, branch := record.Ref(args[1]), "refs/heads/"+clone.branch
	refs, err := remote.Fetch(ctx, notes)
	if err != nil {
		return nil, err
	}
	var lines []record.Line
	if _, there := refs[notes]; there {
		text, err := remote.ReadNotes(ctx, notes)
		if err != nil {
			return nil, err
		}
		parsed := record.ParseNotes(text)
		verdicts := record.Verify(parsed, keys)
		for i, p := range parsed {
			if p.Err == nil && (flags.keys == "" || verdicts[i].Decisive()) {
				lines = append(lines, p.Line)
			}
		}
	}
	lines = record.History(lines, record.Subject{Application: args[0], Environment: args[1]})
	if len(lines) == 0 {
		return nil, hinted{fmt.Errorf("no agent has written anything that counts of %s in %s", args[0], args[1]), "sluice status " + args[0]}
	}
	tips, err := remote.Refs(ctx, branch)
	if err != nil {
		return nil, err
	}
	revision := lines[0].Revision
	if flags.ledger != "" {
		revision = "" // it is one of the code
	}
	return lines, clone.has(ctx, revision, tips[branch])
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

// movePin commits the older pin, and pushes it where that is asked for.
func movePin(cmd *cobra.Command, clone *clone, file string, flags rollbackFlags, args []string, from, to record.Line) error {
	ctx := cmd.Context()
	if err := clone.unchanged(ctx, file); err != nil {
		return err
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	after, err := config.Pin(file, before, to.Revision)
	if err != nil {
		return err
	}
	if string(after) != string(before) {
		fmt.Fprint(cmd.OutOrStdout(), difference(file, string(before), string(after)))
		if flags.dryRun {
			return nil
		}
		message := fmt.Sprintf("Roll back %s in %s to %.7s\n\nFrom %s\nTo %s\n", args[0], args[1], to.Revision, from.Revision, to.Revision)
		commit, err := clone.commit(ctx, file, after, message)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Committed %.7s to %s\n", commit, clone.branch)
	} else {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s pins %.7s already\n", file, to.Revision)
	}
	if !flags.push || flags.dryRun {
		fmt.Fprintln(cmd.ErrOrStderr(), "Try: git push")
		return nil
	}
	if _, err := clone.git(ctx, "push", "--quiet", "origin", "HEAD:refs/heads/"+clone.branch); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Pushed to %s\n", clone.branch)
	return nil
}

// printReverts prints what takes back the commits that brought the releases since one that was proven, the newest first.
func (c *clone) printReverts(ctx context.Context, out io.Writer, lines []record.Line, from, to record.Line) error {
	since, err := c.git(ctx, "rev-list", "--topo-order", "--parents", to.Revision+"..HEAD")
	if err != nil {
		return err
	}
	brought := map[string]bool{cmp.Or(from.Trigger, from.Revision): true}
	for _, line := range lines {
		if line.Seq > to.Seq {
			brought[cmp.Or(line.Trigger, line.Revision)] = true
		}
	}
	var commands []string
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
		return hinted{fmt.Errorf("no commit on %s brought what came after %.7s", c.branch, to.Revision), "git pull"}
	}
	_, err = fmt.Fprintln(out, strings.Join(append(commands, "git push"), "\n"))
	return err
}
