package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

type diffFlags struct {
	dir, revision, against, environment string

	namespace, output string
	markdown          bool
	clusterFlags
}

func diffCommand() *cobra.Command {
	var flags diffFlags
	cmd := &cobra.Command{
		Use:   "diff [APP] ENV",
		Short: "Show which objects differ, in which fields, and what that means",
		Long: `Renders an environment twice and compares the objects: the working folder, or --revision, against HEAD, or against what
--against names. With --against-environment the other side is another environment, of the same files unless --against
names others; its namespace is taken for this one's. With --kubeconfig or --context the other side is what the cluster has:
it is asked by server-side dry-runs, with your own rights, and nothing is written.

The answer is grouped: workloads whose pods would be replaced, those whose running pods keep an old configuration, objects
created, changed (each field, old → new), deleted. Against a cluster the deleted ones are known where you may read the
agent's state. Values of Secrets are never shown, wherever they are repeated.

-o json is a contract: application, from and to (environment, revision, live), restarts, stale, created, changed and deleted
(each with object, reason, and fields with path, before and after), unchanged. --markdown is the text for a merge request.
It is coloured on a terminal, unless NO_COLOR is set. Exit status: 0 nothing differs, 3 something does.`,
		Example: "  sluice diff production\n  sluice diff shop production --against v1.4 --revision main --markdown\n" +
			"  sluice diff shop production --against-environment staging\n  sluice diff shop production --context eu-1 -o json",
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.valid(); err != nil {
				return hinted{usageError{err}, "sluice diff --help"}
			}
			made, err := diff(cmd.Context(), cmd.ErrOrStderr(), flags, args)
			if err != nil {
				return err
			}
			if err := printDiff(cmd.OutOrStdout(), flags, made); err != nil {
				return err
			}
			if made.Different() {
				return errDifferences
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder of sluice.yaml")
	cmd.Flags().StringVar(&flags.revision, "revision", "", "a commit, branch or tag instead of the working folder")
	cmd.Flags().StringVar(&flags.against, "against", "", "a commit, branch or tag to compare with (default HEAD)")
	cmd.Flags().StringVar(&flags.environment, "against-environment", "", "another environment to compare with")
	cmd.Flags().StringVarP(&flags.namespace, "state-namespace", "n", "sluice-system", "namespace of the agent's state")
	cmd.Flags().BoolVar(&flags.markdown, "markdown", false, "print the text for a merge request")
	flags.add(cmd)
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func (f diffFlags) valid() error {
	switch {
	case f.named() && (f.against != "" || f.environment != ""):
		return errors.New("the other side is either the cluster or what --against and --against-environment name")
	case f.markdown && f.output == "json":
		return errors.New("--markdown and -o json are two forms: choose one")
	}
	return nil
}

// diff compares what the flags name.
func diff(ctx context.Context, talk io.Writer, flags diffFlags, args []string) (reconciler.ObjectDiff, error) {
	place, err := locate(ctx, flags.dir, flags.revision)
	if err != nil {
		return reconciler.ObjectDiff{}, err
	}
	defer place.close()
	app, env, err := place.environment(args)
	if err != nil {
		return reconciler.ObjectDiff{}, err
	}
	if flags.named() {
		return diffLive(ctx, flags, place, app, env)
	}
	after, err := place.side(ctx, app, env)
	if err != nil {
		return reconciler.ObjectDiff{}, err
	}
	before, err := diffAgainst(ctx, talk, flags, place, app.Metadata.Name, env)
	if err != nil {
		return reconciler.ObjectDiff{}, err
	}
	return reconciler.DiffOf{
		Application: app.Metadata.Name, From: before.DiffSide, To: after.DiffSide, Before: before.objects, After: after.objects,
		Versioned: env.Rollout.Staged(),
	}.Diff(), nil
}

// side is one side of a comparison.
type side struct {
	reconciler.DiffSide
	objects []*unstructured.Unstructured
}

// side renders an environment, without the names that versions of its configuration would have.
func (c checkout) side(ctx context.Context, app *config.Application, env *config.Environment) (side, error) {
	made, err := c.render(ctx, app, env, render.Capabilities{})
	if err != nil {
		return side{}, err
	}
	at := reconciler.DiffSide{Environment: env.Name, Revision: c.revision, Namespace: env.Namespace}
	return side{at, reconciler.Prepared(made.Masked().All(), env.Drift.Leave, false)}, nil
}

// diffAgainst renders the side that is compared with. An environment that is not there yet has no objects.
func diffAgainst(ctx context.Context, talk io.Writer, flags diffFlags, place checkout, application string, env *config.Environment) (side, error) {
	revision, other := flags.against, env.Name
	if flags.environment != "" {
		other = flags.environment
	} else {
		revision = cmp.Or(revision, "HEAD")
	}
	if revision != "" {
		earlier, err := locate(ctx, flags.dir, revision)
		if err != nil {
			return side{}, err
		}
		defer earlier.close()
		place = earlier
	}
	_, err := fs.Stat(place.tree, path.Join(place.dir, config.FileName))
	app, faults := config.Load(place.tree, place.dir)
	if app != nil {
		for _, name := range append([]string{other}, env.Was...) {
			if found, ok := app.Environment(name); ok && len(faults.For(name)) == 0 {
				return place.side(ctx, app, found)
			}
		}
	}
	if app != nil && len(faults.For(other)) > 0 {
		return side{}, faults.For(other)
	}
	if app == nil && !errors.Is(err, fs.ErrNotExist) {
		return side{}, faults
	}
	if other != env.Name {
		return side{}, fmt.Errorf("application %q has no environment %q there", application, other)
	}
	fmt.Fprintf(talk, "%s has no environment %s at %.7s: all of it is new\n", application, other, place.revision)
	return side{DiffSide: reconciler.DiffSide{Environment: env.Name, Revision: place.revision, Namespace: env.Namespace}}, nil
}

// diffLive compares with what the cluster has.
func diffLive(ctx context.Context, flags diffFlags, place checkout, app *config.Application, env *config.Environment) (reconciler.ObjectDiff, error) {
	of, err := askCluster(ctx, flags.clusterFlags, flags.namespace, place, app, env)
	if err != nil {
		return reconciler.ObjectDiff{}, err
	}
	return of.Diff(reconciler.DiffSide{Environment: env.Name, Revision: place.revision, Namespace: env.Namespace}), nil
}

// colour is what a terminal is told before a line; empty: nothing.
func colour(mark reconciler.DiffMark) string {
	switch mark {
	case reconciler.DiffAdded:
		return "\x1b[32m"
	case reconciler.DiffRemoved:
		return "\x1b[31m"
	case reconciler.DiffChanged:
		return "\x1b[33m"
	case reconciler.DiffPlain:
	}
	return ""
}

func printDiff(out io.Writer, flags diffFlags, made reconciler.ObjectDiff) error {
	switch {
	case flags.markdown:
		_, err := fmt.Fprint(out, made.Markdown())
		return err
	case flags.output == "json":
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(made)
	}
	coloured := isTerminal(out) && os.Getenv("NO_COLOR") == "" // https://no-color.org
	_, err := fmt.Fprint(out, diffText(made, coloured))
	return err
}

func diffText(made reconciler.ObjectDiff, coloured bool) string {
	var text strings.Builder
	for _, line := range made.Lines() {
		if begin := colour(line.Mark); coloured && begin != "" {
			fmt.Fprintf(&text, "%s%s\x1b[0m\n", begin, line.Text)
			continue
		}
		fmt.Fprintln(&text, line.Text)
	}
	return text.String()
}
