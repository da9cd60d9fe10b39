package parity

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// Namespace is what everything is rendered for.
	Namespace = "parity"
	// Release is what every chart is installed as.
	Release = "release"
	// KubeVersion is the default of sluice, which the helm program is told.
	KubeVersion = "v1.36.0"
)

// Programs are where the programs are that are compared.
type Programs struct{ Sluice, Helm, Kustomize string }

// Corpus is a copy of a corpus that sluice can read, with an environment for each case.
type Corpus struct {
	Programs
	dir   string
	cases []Case
}

// Open copies a corpus into a folder, which has to be there. The subcharts in a chart's folder packed are packed into its charts.
func Open(ctx context.Context, from, dir string, programs Programs) (*Corpus, error) {
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return nil, err
	}
	cases, err := Find(dir)
	if err != nil {
		return nil, err
	}
	c := &Corpus{programs, dir, cases}
	var file strings.Builder
	file.WriteString("apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: parity}\nenvironments:\n")
	for i, one := range cases {
		fmt.Fprintf(&file, "  - name: case-%d\n    namespace: %s\n    source: ", i, Namespace)
		switch one.Kind {
		case Helm:
			if err := c.pack(ctx, filepath.Join(dir, one.Path)); err != nil {
				return nil, err
			}
			values := ""
			if one.Values != "" {
				values = fmt.Sprintf(", values: [%q]", one.Values)
			}
			fmt.Fprintf(&file, "{helm: {chart: %q, releaseName: %s%s}}\n", one.Path, Release, values)
		case Kustomize:
			fmt.Fprintf(&file, "{kustomize: {path: %q}}\n", one.Path)
		}
	}
	return c, os.WriteFile(filepath.Join(dir, "sluice.yaml"), []byte(file.String()), 0o600)
}

// Cases are what there is to compare, by path.
func (c *Corpus) Cases() []Case { return c.cases }

func (c *Corpus) pack(ctx context.Context, chart string) error {
	subs, err := filepath.Glob(filepath.Join(chart, "packed", "*"))
	for _, sub := range subs {
		_, failed := c.run(ctx, c.Helm, "package", sub, "--destination", filepath.Join(chart, "charts"))
		err = errors.Join(err, failed)
	}
	return err
}

// Compare renders a case both ways and says how the results differ; nothing: they do not. refused says that neither rendered it.
func (c *Corpus) Compare(ctx context.Context, i int) (differences []string, refused bool, err error) {
	want, wantErr := c.peer(ctx, c.cases[i])
	args := []string{"render", "-C", c.dir, "-o", "json", fmt.Sprintf("case-%d", i)}
	if c.cases[i].Kind == Helm {
		args = append(args, "--hooks", "--tests") // as the program prints them; those of a chart in a kustomization are objects there
	}
	got, gotErr := c.run(ctx, c.Sluice, args...)
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case wantErr != nil && gotErr != nil:
		return nil, true, nil
	case wantErr != nil:
		return []string{"only the program refuses it: " + wantErr.Error()}, false, nil
	case gotErr != nil:
		return []string{"only sluice refuses it: " + gotErr.Error()}, false, nil
	}
	theirs, err := decode(want)
	if err != nil {
		return nil, false, fmt.Errorf("read what the program gave: %w", err)
	}
	ours, err := decode(got)
	if err != nil {
		return nil, false, fmt.Errorf("read what sluice gave: %w", err)
	}
	return compare(theirs, ours), false, nil
}

// peer is what the program gives.
func (c *Corpus) peer(ctx context.Context, one Case) ([]byte, error) {
	if one.Kind == Kustomize {
		return c.run(ctx, c.Kustomize, "build", "--load-restrictor", "LoadRestrictionsNone", "--enable-helm", "--helm-command", c.Helm, filepath.Join(c.dir, one.Path))
	}
	args := []string{"template", Release, filepath.Join(c.dir, one.Path), "--namespace", Namespace, "--include-crds", "--kube-version", KubeVersion}
	if one.Values != "" {
		args = append(args, "--values", filepath.Join(c.dir, one.Values))
	}
	return c.run(ctx, c.Helm, args...)
}

// run runs a program with nothing of this one's environment but what it cannot do without.
func (c *Corpus) run(ctx context.Context, program string, args ...string) ([]byte, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // the programs are the caller's
	cmd.Env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

func newReader(text []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(text)) }
