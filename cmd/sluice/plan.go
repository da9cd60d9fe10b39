package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
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
	agent                            string
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

Where a window is closed now, it says so. Windows of agent.yaml are known by --agent FILE.`,
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
	words, _, err := config.LoadRelease(place.tree, place.dir, env.Name, env.Was)
	if err != nil {
		return err
	}
	of.Windows, of.Override, of.Now = reconciler.WindowsOf(rules, app.Metadata.Name, *env), reconciler.OverrideOf(words), time.Now()
	preview := of.Preview()
	if err := printPreview(cmd.OutOrStdout(), flags.output, preview); err != nil {
		return err
	}
	if flags.exitCode && slices.ContainsFunc(preview.Objects, changes) {
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
	of.Objects = reconciler.Prepared(made.Objects, env.Drift.Leave, env.Rollout.Staged())
	return of, nil
}

func previewOf(app *config.Application, env *config.Environment) reconciler.PreviewOf {
	return reconciler.PreviewOf{Key: reconciler.Key{Application: app.Metadata.Name, Environment: env.Name}, Rules: *env}
}

func changes(o reconciler.PreviewObject) bool {
	return o.Action != "" && o.Action != apply.Unchanged && o.Action != apply.Skipped
}

func printPreview(out io.Writer, format string, p reconciler.Preview) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(p)
	}
	fmt.Fprintf(out, "%s in namespace %s: %s\n", p.Key, p.Namespace, outline(p))
	if p.InStage > 0 {
		fmt.Fprintf(out, "A release is in stage %d now: another one takes it back to the proven one first\n", p.InStage)
	}
	if p.Held != "" {
		fmt.Fprintf(out, "A window holds now what the agent has in hand: %s\n", p.Held)
	}
	if p.Closed != "" {
		fmt.Fprintf(out, "Nothing of it begins now: %s\n", p.Closed)
	}
	if p.Override != "" {
		fmt.Fprintf(out, "It begins although a window is closed: %s\n", p.Override)
	}
	for _, part := range []struct {
		when  reconciler.Moment
		title string
	}{
		{reconciler.AtOnce, "At once"}, {reconciler.BeforeFirst, "Before the first stage"},
		{reconciler.BeforeIfNew, "Before the first stage where the cluster has them not yet, else after the last one"},
		{reconciler.InStages, "In stages"}, {reconciler.AfterLast, "After the last stage"},
		{reconciler.Pruned, "Last of all, what Git no longer has"},
	} {
		printPart(out, p, part.when, part.title)
	}
	if n := len(p.Objects) - countFunc(p.Objects, shown); n > 0 {
		fmt.Fprintf(out, "\nUnchanged: %d\n", n)
	}
	if p.Refused != "" {
		fmt.Fprintf(out, "\nThe agent would refuse it: %s\n", p.Refused)
	}
	if len(p.Warnings) > 0 {
		fmt.Fprintf(out, "\nWarnings\n")
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(out, "  %s\n", w)
	}
	return nil
}

// outline is the plan in a few words.
func outline(p reconciler.Preview) string {
	switch {
	case p.Compared && !slices.ContainsFunc(p.Objects, changes):
		return "nothing would change"
	case len(p.Stages) == 0:
		return "no stages"
	case len(p.Stages) == 1:
		return "1 stage, capacity " + string(p.Capacity)
	}
	return fmt.Sprintf("%d stages, capacity %s", len(p.Stages), p.Capacity)
}

// shown reports whether an object has a line of its own.
func shown(o reconciler.PreviewObject) bool { return o.Action != apply.Unchanged }

func countFunc[T any](items []T, has func(T) bool) (n int) {
	for _, item := range items {
		if has(item) {
			n++
		}
	}
	return n
}

func printPart(out io.Writer, p reconciler.Preview, when reconciler.Moment, title string) {
	is := func(o reconciler.PreviewObject) bool { return o.When == when && shown(o) }
	if !slices.ContainsFunc(p.Objects, is) {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, o := range p.Objects {
		if is(o) {
			said := strings.Join(append(slices.Clone(o.Fields), o.Reason), " ")
			fmt.Fprintln(table, strings.TrimRight(strings.Join([]string{"  " + o.Object, string(o.Action), said}, "\t"), " \t"))
		}
	}
	table.Flush() //nolint:errcheck // what cannot be written cannot be told either
	if when == reconciler.InStages {
		printStages(out, p)
	}
}

func printStages(out io.Writer, p reconciler.Preview) {
	for _, s := range p.Stages {
		fmt.Fprintf(out, "  stage %d: %s", s.Stage, s.Step)
		if s.Hold != "" {
			fmt.Fprintf(out, " for %s", s.Hold)
		}
		if len(s.Analysis) > 0 {
			fmt.Fprintf(out, ", measured by %s", strings.Join(s.Analysis, ", "))
		}
		if s.Approve {
			fmt.Fprint(out, ", when a person approves it")
		}
		fmt.Fprintln(out)
		for _, w := range s.Workloads {
			fmt.Fprintf(out, "    %s: %s\n", w.Object, podsOf(w, p.Capacity))
		}
	}
	fmt.Fprintf(out, "  then all others, a few at a time\n")
}

// podsOf counts the pods of a stage, and says what they need.
func podsOf(w reconciler.PreviewWorkload, capacity policies.Capacity) string {
	text := fmt.Sprintf("%d new beside %d proven", w.New, w.Proven)
	const inPlace = "replaced in place one at a time, with no extra pods"
	switch all := w.New + w.Proven; {
	case w.InPlace && w.Replicas == 0: // only a cluster knows its nodes
		return inPlace
	case w.InPlace:
		return text + ", " + inPlace
	case capacity == policies.Replace:
		return text + ", no more pods than before"
	case w.Replicas > 0 && w.New >= w.Replicas:
		return fmt.Sprintf("%s: %d pods, at least double capacity", text, all)
	default:
		return fmt.Sprintf("%s: %d pods", text, all)
	}
}
