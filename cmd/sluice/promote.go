package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type promoteFlags struct {
	prepareFlags
	to, hotfix string
}

func promoteCommand() *cobra.Command {
	var flags promoteFlags
	cmd := &cobra.Command{
		Use:   "promote APP ENV",
		Short: "Prepare the commit that pins the next release",
		Long: `Finds the newest release that is proven where an environment is promoted from, and due, as the agent decides it, but from Git
and its notes alone. It tells the evidence, what comes with it, and what it waits for, writes the pin into the release file, and
commits that file alone, by git and on the branch of this folder. Nothing is pushed without --push or --request.

With --to that revision is pinned, whether it is due or not: who names it has decided. What the agent would refuse is refused
here too: what is no commit of the branch, does not render, or was never proven where releases come from. With --hotfix the
last is let through by hotfix: in the release file, and the reason is in the commit.

Checks are known at the forge alone, and so are requests that somebody closed: they are for you to look at.` + ledgerHelp,
		Example: "  sluice promote shop production\n  sluice promote shop production --push\n" +
			"  sluice promote -C apps/shop shop production --to v1.4.2 --hotfix \"incident 4711\"",
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.hotfix != "" && flags.to == "" {
				return hinted{usageError{errors.New("--hotfix is for the revision that --to names")}, cmd.CommandPath() + " --help"}
			}
			return promoteTo(cmd, flags, args)
		},
	}
	flags.add(cmd)
	flags.addKeys(cmd)
	flags.addPush(cmd)
	cmd.Flags().StringVar(&flags.to, "to", "", "revision to pin: a commit, branch or tag of this clone; without it the newest one that is due")
	cmd.Flags().StringVar(&flags.hotfix, "hotfix", "", "reason to let a revision through that was never proven where releases come from")
	return cmd
}

func promoteTo(cmd *cobra.Command, flags promoteFlags, args []string) error {
	ctx := cmd.Context()
	desk, err := openDesk(ctx, flags.prepareFlags, args)
	if err != nil {
		return err
	}
	defer desk.close()
	again := strings.Join(append([]string{"sluice promote"}, args...), " ")
	switch {
	case !desk.env.Follow.Pin:
		return hinted{fmt.Errorf("%s follows no pin: what it follows is released without a promotion", desk.environment), "sluice status " + args[0]}
	case flags.to == "" && desk.env.Promotion == nil:
		return hinted{fmt.Errorf("%s has no promotion: that says where its releases come from", desk.environment), again + " --to REVISION"}
	}
	if flags.to != "" {
		if flags.to, err = desk.clones.code.revision(ctx, flags.to); err != nil {
			return err
		}
	}
	read, err := desk.notesFlags().read(ctx, record.Subject{Application: desk.application})
	if err != nil {
		return err
	}
	defer read.close()
	if err := desk.upToDate(ctx, read.remotes, ""); err != nil {
		return err
	}
	subject, err := read.promotion(ctx, desk.clones, desk.place.dir, desk.subject())
	if err != nil {
		return err
	}
	keeper := &promote.Keeper{Git: read.code, Log: slog.New(slog.DiscardHandler)}
	found, needs, err := weigh(ctx, keeper, subject, flags)
	if err != nil {
		return err
	}
	switch {
	case found.Revision == "":
		return hinted{fmt.Errorf("there is nothing to promote to %s: %s", desk.environment, found.Reason), "sluice status " + args[0]}
	case found.Blocked != "" && needs:
		return hinted{fmt.Errorf("the agent would refuse it: %s", found.Blocked), fmt.Sprintf("%s --to %.7s --hotfix REASON", again, found.Revision)}
	case found.Blocked != "":
		return fmt.Errorf("the agent would refuse it: %s", found.Blocked)
	}
	if err := tellPromotion(ctx, cmd.ErrOrStderr(), desk, read.code, subject, found); err != nil {
		return err
	}
	if flags.to == "" && !found.Due {
		return hinted{fmt.Errorf("it is not due: %s", found.Reason), fmt.Sprintf("%s --to %.7s, which pins it all the same", again, found.Revision)}
	}
	return desk.prepare(cmd, desk.pinning(found, flags.hotfix, needs))
}

// promotion is what the agent would look at on the branches of clones, as their servers have them.
func (n *notes) promotion(ctx context.Context, in clones, dir string, of record.Subject) (promote.Subject, error) {
	branch := in.code.branch
	ref := "refs/heads/" + branch
	s := promote.Subject{
		Application: of.Application, Environment: of.Environment, Repository: config.Repository{Branch: branch}, Dir: dir,
		Lines: map[string][]record.Line{}, Now: time.Now(), Renderer: rendererOf(ctx), Charts: fetchedCharts(ctx),
	}
	if n.unread != nil {
		return s, n.unread
	}
	refs, err := n.code.Fetch(ctx, ref, record.Ref("*"))
	if err != nil {
		return s, err
	}
	if s.Tip = refs[ref]; s.Tip == "" {
		return s, fmt.Errorf("origin has no branch %s", branch)
	}
	tree, err := n.code.Tree(s.Tip)
	if err != nil {
		return s, err
	}
	app, faults := config.Load(tree, dir)
	if app == nil || len(faults.For(of.Environment)) > 0 {
		return s, fmt.Errorf("branch %s on origin: %w", branch, faults)
	}
	s.Rules = app
	env, ok := app.Environment(of.Environment)
	if !ok || app.Metadata.Name != of.Application {
		return s, hinted{fmt.Errorf("branch %s on origin has no environment %q of %q", branch, of.Environment, of.Application), "git push"}
	}
	if s.Ledger, err = n.promoted(ctx, in, app); err != nil {
		return s, err
	}
	if s.Ledger != nil {
		dir = s.Ledger.Dir
		if tree, err = n.ledger.Tree(s.Ledger.Tip); err != nil {
			return s, err
		}
	}
	if s.Release, _, err = config.LoadRelease(tree, dir, env.Name, env.Was); err != nil {
		return s, err
	}
	s.Window = policies.Plan{Windows: reconciler.WindowsOf(nil, of.Application, *env), Override: reconciler.OverrideOf(s.Release)}.Openness(s.Now)
	for _, e := range app.Environments {
		s.Lines[e.Name] = n.told(record.Subject{Application: of.Application, Environment: e.Name})
	}
	return s, nil
}

// weigh weighs a promotion. needs: it is refused, or was but for the reason of a hotfix, as it was never where releases come from.
func weigh(ctx context.Context, k *promote.Keeper, s promote.Subject, flags promoteFlags) (found promote.Weighed, needs bool, err error) {
	found, err = k.Weigh(ctx, s, flags.to, false)
	if err != nil || found.Blocked == "" {
		return found, false, err
	}
	despite, err := k.Blocked(ctx, s, found.Revision, true)
	if needs = despite == ""; !needs || flags.hotfix != "" {
		found.Blocked = despite
	}
	return found, needs, err
}

// pinning is the release file with the pin moved. A hotfix that is not needed is not written.
func (d *desk) pinning(found promote.Weighed, hotfix string, needs bool) edition {
	e := edition{message: found.Message, already: fmt.Sprintf("pins %.7s", found.Revision)}
	if !needs {
		e.edit = func(file string, before []byte) ([]byte, error) { return config.Pin(file, before, found.Revision) }
		return e
	}
	e.edit = func(file string, before []byte) ([]byte, error) {
		return config.PinHotfix(file, before, found.Revision)
	}
	e.message = strings.Replace(found.Message, "\n\n", "\n\nHotfix: "+printable(hotfix)+"\n\n", 1)
	return e
}

// mostTold bounds the commits that are listed.
const mostTold = 20

// tellPromotion says what a pin would bring, and what speaks for it and against it.
func tellPromotion(ctx context.Context, talk io.Writer, d *desk, repo *gitsource.Repository, s promote.Subject, found promote.Weighed) error {
	from := "nothing"
	if s.Release.Revision != "" {
		from = fmt.Sprintf("%.7s", s.Release.Revision)
	}
	fmt.Fprintf(talk, "%s in %s: %s → %.7s\n", d.application, d.environment, from, found.Revision)
	if found.Candidate != nil {
		for _, a := range found.Candidate.From {
			fmt.Fprintf(talk, "  healthy in %s since %s, as %.7s", a.Environment, a.Healthy.Local().Format(time.DateTime), a.Revision)
			if a.Soaked {
				fmt.Fprintf(talk, ", and stayed so for %s", shortTime(a.HealthyFor))
			}
			fmt.Fprintln(talk)
		}
	}
	fmt.Fprintf(talk, "  %s\n", found.Reason)
	if p := d.env.Promotion; p != nil && len(p.When.Checks) > 0 {
		fmt.Fprintf(talk, "  not looked at here: the checks %s\n", strings.Join(p.When.Checks, ", "))
	}
	if d.keys == "" {
		fmt.Fprintln(talk, "  no signature was checked: --keys FILE does it")
	}
	if s.Release.Paused || d.env.State == config.Paused {
		fmt.Fprintln(talk, "  it is paused: nothing begins before it is resumed")
	}
	if left := leftBy(d.env, s, found.Revision); left != "" {
		fmt.Fprintf(talk, "  it is a roll-back from %.7s: all pods at once, without stages\n", left)
	} else if found.Stages != "" {
		fmt.Fprintf(talk, "  %s\n", found.Stages)
	}
	commits, total, err := repo.Commits(ctx, gitsource.Range{From: s.Release.Revision, To: found.Revision, Limit: mostTold})
	if err != nil {
		return err
	}
	for _, c := range commits {
		fmt.Fprintf(talk, "  %.7s %s (%s)\n", c.Hash, printable(c.Subject), printable(c.Author))
	}
	if total > len(commits) {
		fmt.Fprintf(talk, "  and %d older ones\n", total-len(commits))
	}
	if in := d.clones.ledger; found.Branch != "" {
		fmt.Fprintf(talk, "The agent asks for the same: %s && %s && %s\n", in.command("fetch origin "+found.Branch), in.command("merge FETCH_HEAD"), in.command("push"))
	}
	if s.Release.Revision != "" {
		fmt.Fprintf(talk, "The objects: sluice diff %s %s --against %.7s --revision %.7s\n", d.application, d.environment, s.Release.Revision, found.Revision)
	}
	return nil
}

// leftBy is the revision that a pin would leave by a roll-back; empty: it would be none.
func leftBy(env *config.Environment, s promote.Subject, revision string) string {
	state := reconciler.StateOf(s.Lines[s.Environment], record.Subject{Application: s.Application, Environment: s.Environment})
	for _, proof := range state.Sequence {
		if proof.Revision == revision {
			return state.Leaves(policies.Plan{Reach: env.Rollout.RollbackTo}, proof.Release).Revision
		}
	}
	return ""
}
