package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

type planFlags struct {
	dir, revision, output, namespace string
	agent, ledger, keys, credentials string
	exitCode                         bool
	clusterFlags
}

func planCommand() *cobra.Command {
	var flags planFlags
	cmd := &cobra.Command{
		Use:   "plan [APP] ENV",
		Short: "Show what a release would do, stage by stage, before it does",
		Long: `Renders an environment of the working folder, or of --revision, and shows what goes before the stages, with them and after
them, how many pods each stage has, and what makes the stages prove less than they seem to.

With --kubeconfig or --context the cluster is asked too, with your own rights and by dry-runs alone: which objects would
change in which fields, which workloads are staged and why others are not, and, where you may read the agent's state, what
would be pruned and what a window holds. With --exit-code the exit status is then 3 where
anything would change.

Where a window is closed now, it says so. Windows of agent.yaml are known by --agent FILE.

In a clone it reads the notes of its remote origin too, and says where the release would be a roll-back, failed here before, or
would be refused as a pin. Without --revision, and where the environment follows its pin, that is told of what is pinned.`,
		Example: "  sluice plan shop production\n  sluice plan production --revision HEAD~1 -o json\n  sluice plan shop production --context eu-1 --exit-code",
		Args:    arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.exitCode && !flags.named() {
				return hinted{usageError{fmt.Errorf("--exit-code needs a cluster to compare with")}, "sluice plan --context CONTEXT --exit-code ENV"}
			}
			return plan(cmd, flags, args)
		},
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder of sluice.yaml")
	cmd.Flags().StringVar(&flags.revision, "revision", "", "a commit, branch or tag instead of the working folder")
	cmd.Flags().BoolVar(&flags.exitCode, "exit-code", false, "exit status 3 where anything would change")
	cmd.Flags().StringVarP(&flags.namespace, "state-namespace", "n", "sluice-system", "namespace of the agent's state")
	cmd.Flags().StringVar(&flags.agent, "agent", "", "agent.yaml, whose windows count too")
	ledgerFlag(cmd, &flags.ledger)
	cmd.Flags().StringVar(&flags.keys, "keys", "", "file with public keys, one a line: only signed words count")
	cmd.Flags().StringVar(&flags.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt, for notes")
	flags.add(cmd)
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func plan(cmd *cobra.Command, flags planFlags, args []string) error {
	ctx := cmd.Context()
	place, err := locate(ctx, flags.dir, flags.revision)
	if err != nil {
		return err
	}
	defer place.close()
	app, env, err := place.environment(args)
	if err != nil {
		return err
	}
	var of reconciler.PreviewOf
	if flags.named() {
		of, err = askCluster(ctx, flags.clusterFlags, flags.namespace, place, app, env)
	} else {
		of, err = unasked(ctx, place, app, env)
	}
	if err != nil {
		return err
	}
	rules, err := bindings(flags.agent)
	if err != nil {
		return err
	}
	words, err := place.words(flags.ledger, app, env)
	if err != nil {
		return err
	}
	of.Windows, of.Override, of.Now = reconciler.WindowsOf(rules, app.Metadata.Name, *env), reconciler.OverrideOf(words), time.Now()
	flags.ask(ctx, cmd.ErrOrStderr(), place, app, words, &of)
	preview := of.Preview()
	if err := printPreview(cmd.OutOrStdout(), flags.output, preview); err != nil {
		return err
	}
	if flags.exitCode && (slices.ContainsFunc(preview.Objects, changes) || len(preview.Hooks) > 0) {
		return errDifferences
	}
	return nil
}

// unasked is what a preview is made of without a cluster.
func unasked(ctx context.Context, place checkout, app *config.Application, env *config.Environment) (reconciler.PreviewOf, error) {
	made, err := place.render(ctx, app, env, render.Capabilities{})
	if err != nil {
		return reconciler.PreviewOf{}, err
	}
	of := previewOf(app, env)
	of.Asked = releaseOf(place, made)
	made = made.Masked()
	of.Hooks, of.Tests = made.Hooks, made.Tests
	of.Objects = reconciler.Prepared(made.Objects, env.Drift.Leave, env.Rollout.Staged())
	return of, nil
}

func previewOf(app *config.Application, env *config.Environment) reconciler.PreviewOf {
	return reconciler.PreviewOf{Key: reconciler.Key{Application: app.Metadata.Name, Environment: env.Name}, Rules: *env}
}

// releaseOf is the release that a render makes; the working folder has no revision.
func releaseOf(place checkout, made *render.Result) policies.Release {
	return policies.Release{Revision: place.revision, Inputs: made.Inputs, Digest: made.Digest}
}

func changes(o reconciler.PreviewObject) bool {
	return o.Action != "" && o.Action != apply.Unchanged && o.Action != apply.Skipped
}
