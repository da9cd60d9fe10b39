package parity

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
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

// Corpus is two copies of a corpus: one that sluice reads, with an environment for each case, and one for the programs.
type Corpus struct {
	Programs
	dir, theirs string
	cases       []Case
}

// Open copies a corpus into an empty folder. The subcharts in a chart's folder packed are packed into its charts; those that a chart has
// elsewhere in the corpus (file://) are put there for the helm program, which does not look for them itself.
func Open(ctx context.Context, from, to string, programs Programs) (*Corpus, error) {
	dir, theirs := filepath.Join(to, "sluice"), filepath.Join(to, "programs")
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		return nil, err
	}
	cases, err := Find(dir)
	if err != nil {
		return nil, err
	}
	c := &Corpus{programs, dir, theirs, cases}
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
	if err := os.CopyFS(theirs, os.DirFS(dir)); err != nil {
		return nil, err
	}
	for _, one := range cases {
		if one.Kind == Helm && one.Values == "" && c.lies(one.Path) {
			// Where that fails the chart cannot be rendered, and Compare says so.
			_, _ = c.run(ctx, c.Helm, "dependency", "update", "--skip-refresh", filepath.Join(theirs, one.Path)) //nolint:errcheck // as above
		}
	}
	return c, os.WriteFile(filepath.Join(dir, "sluice.yaml"), []byte(file.String()), 0o600)
}

// lies reports whether all dependencies of a chart lie in the corpus, by their addresses.
func (c *Corpus) lies(chart string) bool {
	text, err := os.ReadFile(filepath.Join(c.theirs, chart, "Chart.yaml")) //nolint:gosec // the corpus is the caller's
	if err != nil {
		return false
	}
	var file struct {
		Dependencies []struct{ Repository string }
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return false
	}
	for _, one := range file.Dependencies {
		if !strings.HasPrefix(one.Repository, "file://") {
			return false
		}
	}
	return len(file.Dependencies) > 0
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

// Outcome is how a case ended.
type Outcome string

// What a case may end as.
const (
	Same    Outcome = "same"    // object for object
	Differs Outcome = "differs" // or only one of them renders it
	Neither Outcome = "neither" // both refuse it
	Unfit   Outcome = "unfit"   // the program gives what Kubernetes takes no objects from, which sluice refuses
)

// Compare renders a case both ways. The details are the differences, or why nothing was compared.
func (c *Corpus) Compare(ctx context.Context, i int) (outcome Outcome, details []string, err error) {
	want, wantErr := c.peer(ctx, c.cases[i])
	args := []string{"render", "-C", c.dir, "-o", "json", fmt.Sprintf("case-%d", i)}
	if c.cases[i].Kind == Helm {
		args = append(args, "--hooks", "--tests") // as the program prints them; those of a chart in a kustomization are objects there
	}
	got, gotErr := c.run(ctx, c.Sluice, args...)
	switch {
	case ctx.Err() != nil:
		return "", nil, ctx.Err()
	case wantErr != nil && gotErr != nil:
		return Neither, []string{wantErr.Error(), gotErr.Error()}, nil
	case wantErr != nil:
		return Differs, []string{"only the program refuses it: " + wantErr.Error()}, nil
	}
	theirs, err := decode(want)
	if gotErr != nil {
		if why := theirs.unfit(err); why != "" {
			return Unfit, []string{why, gotErr.Error()}, nil
		}
		return Differs, []string{"only sluice refuses it: " + gotErr.Error()}, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("read what the program gave: %w", err)
	}
	ours, err := decode(got)
	if err != nil {
		return "", nil, fmt.Errorf("read what sluice gave: %w", err)
	}
	if details = compare(theirs, ours); len(details) == 0 {
		return Same, nil, nil
	}
	// A test may have another name at each render: those are paired in the order of their names.
	if again, err := c.peer(ctx, c.cases[i]); err == nil {
		if others, err := decode(again); err == nil && pair(theirs, others, ours) {
			if details = compare(theirs, ours); len(details) == 0 {
				return Same, nil, nil
			}
		}
	}
	return Differs, details, nil
}

// Cluster is one that charts can be asked about.
type Cluster struct {
	Kubeconfig, Version string   // a file; the version as the cluster says it
	APIVersions         []string // that it serves, such as apps/v1 and apps/v1/Deployment
}

// CompareInstall says how what `helm install --dry-run=server` would create differs from what sluice renders for that cluster. The
// program leaves crds/ out, which it would have created before.
func (c *Corpus) CompareInstall(ctx context.Context, i int, cluster Cluster) ([]string, error) {
	one := c.cases[i]
	args := []string{"install", Release, filepath.Join(c.theirs, one.Path), "--namespace", Namespace, "--dry-run=server", "--output", "json", "--kubeconfig", cluster.Kubeconfig}
	if one.Values != "" {
		args = append(args, "--values", filepath.Join(c.theirs, one.Values))
	}
	out, err := c.run(ctx, c.Helm, args...)
	if err != nil {
		return nil, err
	}
	var release struct {
		Manifest string
		Hooks    []struct{ Manifest string }
	}
	if err := json.Unmarshal(out, &release); err != nil {
		return nil, err
	}
	for _, hook := range release.Hooks {
		release.Manifest += "\n---\n" + hook.Manifest
	}
	theirs, err := decode([]byte(release.Manifest))
	if err != nil {
		return nil, err
	}
	got, err := c.run(ctx, c.Sluice, "render", "-C", c.dir, "-o", "json", "--hooks", "--tests", "--kube-version", cluster.Version,
		"--api-versions", strings.Join(cluster.APIVersions, ","), fmt.Sprintf("case-%d", i))
	if err != nil {
		return nil, err
	}
	ours, err := decode(got)
	if err != nil {
		return nil, err
	}
	for name := range ours {
		if _, has := theirs[name]; !has && strings.HasPrefix(name, "apiextensions.k8s.io/") {
			delete(ours, name)
		}
	}
	return compare(theirs, ours), nil
}

// peer is what the program gives.
func (c *Corpus) peer(ctx context.Context, one Case) ([]byte, error) {
	if one.Kind == Kustomize {
		return c.run(ctx, c.Kustomize, "build", "--load-restrictor", "LoadRestrictionsNone", "--enable-helm", "--helm-command", c.Helm, "--helm-kube-version", KubeVersion,
			filepath.Join(c.theirs, one.Path))
	}
	args := []string{"template", Release, filepath.Join(c.theirs, one.Path), "--namespace", Namespace, "--include-crds", "--kube-version", KubeVersion}
	if one.Values != "" {
		args = append(args, "--values", filepath.Join(c.theirs, one.Values))
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
