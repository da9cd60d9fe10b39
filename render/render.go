package render

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/render/helm"
	"github.com/sluice-cd/sluice/render/manifest"
)

// Request says what to render, and for whom.
type Request struct {
	Dir                      string // folder of sluice.yaml in the tree; "." or empty is the root. Source paths start here
	Application, Environment string // Application is the default release name; Environment shapes nothing
	Source                   Source
	Namespace                string            // of namespaced objects that name none; empty: they stay without
	Labels, Annotations      map[string]string // put on every object, never on pod templates; they win
	Capabilities             Capabilities
	Kept                     Kept // zero: generated values are made
	Remark                   bool // say what the author should know, which takes up to three renders more

	pass *pass // how the engines run; nil: as a chart is written
}

// Capabilities are what charts see of the cluster.
type Capabilities struct {
	KubeVersion string   // such as v1.36.3; empty: helm.DefaultKubeVersion
	APIVersions []string // "group/version" and "group/version/Kind"; empty: what the helm program assumes
}

// Result is what a render gave. The objects may be changed by the caller; they are shared with nobody.
type Result struct {
	Objects []*unstructured.Unstructured // namespaces and definitions first, then by group, kind, namespace and name
	Hooks   []Hook                       // a chart's hooks in the order in which they run: by weight, kind and name
	Tests   []Hook                       // those that are tests alone
	Digest  string                       // SHA-256 of the objects and hooks, generated values masked, in hex: a test that changes makes no release
	Inputs  string                       // SHA-256 of the files that were read and of the request's shape, in hex
	Trace   Trace
	Sources map[ObjectID]string // the file that an object came from, where known
	// Generated are the fields of objects and hooks that charts make by chance or by the clock. They are filled in, so a
	// result that has any must not be shown, see Masked, and holds for the values of one environment alone.
	Generated []Generated
	Looked    []helm.Lookup // what charts looked for in the cluster, found or not
	Remarks   []Remark      // what the author should know, where the request asks
}

// Hook is an object that a chart runs at a moment, rather than keeps. Only charts have hooks.
type Hook struct {
	Object         *unstructured.Unstructured
	Events         []string // pre-install, post-upgrade, test and so on
	Weight         int      // lower ones run first
	DeletePolicies []string // before-hook-creation, hook-succeeded, hook-failed; may be empty
}

// ObjectID names an object whatever its version.
type ObjectID struct{ Group, Kind, Namespace, Name string }

// String reads Deployment.apps shop/web.
func (id ObjectID) String() string {
	kind, name := id.Kind, id.Name
	if id.Group != "" {
		kind += "." + id.Group
	}
	if id.Namespace != "" {
		name = id.Namespace + "/" + name
	}
	return kind + " " + name
}

// IDOf returns the identity of an object.
func IDOf(o *unstructured.Unstructured) ObjectID {
	return ObjectID{o.GroupVersionKind().Group, o.GetKind(), o.GetNamespace(), o.GetName()}
}

// Render renders a source. A fault of the files is an *Error (errors.As) that names the file, and is the same at every
// call until the files change; TraceOf tells when that is. A context that ends gives its error at once. Safe for
// concurrent use; kustomizations are built one after the other.
func Render(ctx context.Context, tree Tree, req Request) (*Result, error) {
	type outcome struct {
		result *Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := guarded(ctx, tree, req)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-ctx.Done():
		// The goroutine ends at its next look at the tree; see the package comment.
		return nil, fmt.Errorf("render %s for %s: %w", req.Application, req.Environment, context.Cause(ctx))
	}
}

// guarded makes a panic of an engine an error of this one application.
func guarded(ctx context.Context, tree Tree, req Request) (result *Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, fmt.Errorf("render panicked: %v", p)
		}
	}()
	return render(ctx, tree, req)
}

func render(ctx context.Context, tree Tree, req Request) (*Result, error) {
	if req.Dir == "" {
		req.Dir = "."
	}
	if _, ok := helm.Answer("", req.Capabilities.KubeVersion, nil); !ok {
		return nil, fmt.Errorf("kubernetes version %q is none", req.Capabilities.KubeVersion)
	}
	v := newView(ctx, tree)
	g := generation{ctx: ctx, view: v, req: req}
	result, err := g.result()
	trace := Trace{shape: req.shape(true), paths: v.answers(), asked: g.asked}
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &failure{error: err, trace: trace}
	}
	result.Trace = trace
	result.Inputs = inputs(req, trace)
	if result.Digest, err = digest(result.Masked()); err != nil {
		return nil, fmt.Errorf("hash objects: %w", err)
	}
	if req.Remark {
		if result.Remarks, err = remarks(ctx, tree, req); err != nil {
			return nil, fmt.Errorf("render %s again: %w", req.Application, err)
		}
	}
	return result, nil
}

// made is what an engine gave, before it is finished.
type made struct {
	from    string // the source's path, for faults that no file has
	objects []manifest.Object
	hooks   []helm.Hook
	tests   []helm.Hook
	asked   map[string]string
}

// releaseName is what a chart sees as .Release.Name.
func (r Request) releaseName() string {
	if r.Source.Helm != nil && r.Source.Helm.ReleaseName != "" {
		return r.Source.Helm.ReleaseName
	}
	return r.Application
}

var errEmpty = errors.New("renders to nothing; an empty result would delete everything, so it is refused")
