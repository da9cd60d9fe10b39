package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/helm"
)

type renderFlags struct {
	dir, revision, kubeVersion, output string
	apiVersions                        []string
	hooks, tests                       bool
	into, against                      string
	explain                            bool
}

func renderCommand() *cobra.Command {
	var flags renderFlags
	cmd := &cobra.Command{
		Use:   "render [APP] ENV",
		Short: "Print what an environment renders to",
		Long: `Prints the objects that an environment renders to, exactly as the agent applies them, without a cluster.

Values that a chart makes by chance or by the clock are printed as <generated>: the agent makes them once for an environment
and keeps them.

It reads the working folder, Git or not; with --revision a commit of it. The paths of a source may reach as far as the
root of the repository, or outside Git the folder of sluice.yaml.`,
		Example: "  sluice render staging\n  sluice render shop production --revision HEAD~1\n  sluice render -C apps/shop production -o json",
		Args:    arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return renderEnvironment(cmd.Context(), cmd.OutOrStdout(), flags, args)
		},
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder of sluice.yaml")
	cmd.Flags().StringVar(&flags.revision, "revision", "", "a commit, branch or tag instead of the working folder")
	cmd.Flags().StringVar(&flags.kubeVersion, "kube-version", "", "Kubernetes version that charts see")
	cmd.Flags().StringSliceVar(&flags.apiVersions, "api-versions", nil, "API versions that charts see beside those of a Kubernetes cluster, as with helm template")
	cmd.Flags().BoolVar(&flags.hooks, "hooks", false, "print a chart's hooks too, in the order in which they run")
	cmd.Flags().BoolVar(&flags.tests, "tests", false, "print a chart's tests too")
	cmd.Flags().StringVar(&flags.into, "output-dir", "", "a new or empty folder, for -o dir: a file for each object")
	cmd.Flags().BoolVar(&flags.explain, "explain", false, "print what it reads instead, and with --against why an agent would render again")
	cmd.Flags().StringVar(&flags.against, "against", "", "for --explain: a commit, branch or tag that was rendered before")
	outputFlag(cmd, &flags.output, "yaml", "json", "dir")
	return cmd
}

// check finds flags that make no sense together.
func (f *renderFlags) check() error {
	switch {
	case f.explain && (f.into != "" || f.output == "dir"):
		return usageError{errors.New("--explain prints no objects, so there is nothing for --output-dir")}
	case f.against != "" && !f.explain:
		return usageError{errors.New("--against is for --explain; `sluice diff --against` compares objects")}
	case f.output == "dir" && f.into == "":
		return usageError{errors.New("-o dir needs --output-dir FOLDER")}
	case f.into != "" && f.output == "json":
		return usageError{errors.New("--output-dir is for -o dir")}
	}
	if f.into != "" {
		f.output = "dir"
	}
	return nil
}

func renderEnvironment(ctx context.Context, out io.Writer, flags renderFlags, args []string) error {
	if err := flags.check(); err != nil {
		return err
	}
	place, err := locate(ctx, flags.dir, flags.revision)
	if err != nil {
		return err
	}
	defer place.close()
	app, env, err := place.environment(args)
	if err != nil {
		return err
	}
	if flags.explain {
		return explain(ctx, out, flags, args, place, app, env)
	}
	made, err := place.render(ctx, app, env, render.Capabilities{KubeVersion: flags.kubeVersion, APIVersions: helm.APIVersions(flags.apiVersions)})
	if err != nil {
		return err
	}
	made = made.Masked()
	objects := reconciler.Prepared(made.Objects, env.Drift.Leave, env.Rollout.Staged())
	for _, part := range []struct {
		asked bool
		hooks []render.Hook
	}{{flags.hooks, made.Hooks}, {flags.tests, made.Tests}} {
		for _, h := range part.hooks {
			if part.asked {
				objects = append(objects, h.Object)
			}
		}
	}
	if flags.output == "dir" {
		return writeObjects(flags.into, objects)
	}
	return printObjects(out, flags.output, objects)
}

// render renders an environment of the application as the agent does.
func (c checkout) render(ctx context.Context, app *config.Application, env *config.Environment, cluster render.Capabilities) (*render.Result, error) {
	return rendererOf(ctx).Render(ctx, c.over(ctx), c.request(app, env, cluster))
}

// over is the tree with the charts that the application has from elsewhere.
func (c checkout) over(ctx context.Context) *elsewhere.Tree {
	return elsewhere.Over(c.tree, fetchedCharts(ctx))
}

func (c checkout) request(app *config.Application, env *config.Environment, cluster render.Capabilities) render.Request {
	return render.Request{
		Dir: c.dir, Application: app.Metadata.Name, Environment: env.Name, Source: env.Source,
		Namespace: env.Namespace, Labels: env.Labels, Annotations: env.Annotations, Capabilities: cluster,
	}
}

// printObjects writes objects as YAML documents, or as one JSON List.
func printObjects(out io.Writer, format string, objects []*unstructured.Unstructured) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string]any{"apiVersion": "v1", "kind": "List", "items": objects})
	}
	for _, o := range objects {
		text, err := yaml.Marshal(o.Object)
		if err != nil {
			return fmt.Errorf("print %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		if _, err := fmt.Fprintf(out, "---\n%s", text); err != nil {
			return err
		}
	}
	return nil
}

// checkout is where an application is read from: a tree and the folder of sluice.yaml in it.
type checkout struct {
	tree     render.Tree
	dir      string
	revision string // full hash; empty: a working folder
	close    func()
}

// locate finds the root that bounds the paths of a source, and the folder in it.
func locate(ctx context.Context, dir, revision string) (checkout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return checkout{}, err
	}
	if abs, err = filepath.EvalSymlinks(abs); err != nil {
		return checkout{}, err
	}
	root := repositoryRoot(abs)
	if revision != "" {
		if root == "" {
			return checkout{}, fmt.Errorf("revision %s: %q is in no Git repository", revision, dir)
		}
		return atRevision(ctx, root, abs, revision)
	}
	if root == "" {
		root = abs
	}
	tree, err := render.DirTree(root)
	if err != nil {
		return checkout{}, err
	}
	rel, err := filepath.Rel(root, abs)
	return checkout{tree: tree, dir: filepath.ToSlash(rel), close: func() {}}, err
}

// repositoryRoot is the nearest folder above with a .git in it, or nothing.
func repositoryRoot(dir string) string {
	for {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// environment reads sluice.yaml and picks what the arguments name: [APP] ENV.
func (c checkout) environment(args []string) (*config.Application, *config.Environment, error) {
	app, faults := config.Load(c.tree, c.dir)
	name := args[len(args)-1]
	if app == nil {
		return nil, nil, hinted{faults, "sluice render -C FOLDER ENV, where FOLDER has a sluice.yaml"}
	}
	if len(args) == 2 && app.Metadata.Name != args[0] {
		return nil, nil, fmt.Errorf("%s is application %q, not %q", path.Join(c.dir, "sluice.yaml"), app.Metadata.Name, args[0])
	}
	if wrong := faults.For(name); len(wrong) > 0 {
		return nil, nil, wrong
	}
	env, ok := app.Environment(name)
	if !ok {
		var names []string
		for _, e := range app.Environments {
			names = append(names, e.Name)
		}
		return nil, nil, fmt.Errorf("application %q has no environment %q; it has %s", app.Metadata.Name, name, strings.Join(names, ", "))
	}
	return app, env, nil
}
