package reconciler

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
)

// keeps reports whether the manifests of a render are to give way to those that were saved: the release is the one in the state,
// and renders to something else since the cluster or the agent was upgraded. That is no new release, so what was sent of it stays
// until there is one. One that failed may have failed for what was missing then.
func (p *Pass) keeps(made policies.Release) bool {
	saved := &p.target.held.saved
	return made.Inputs != "" && made.Inputs == saved.State.Release.Inputs && made.Digest != saved.State.Release.Digest &&
		saved.State.Phase != policies.Failed && slices.Contains(saved.Active, manifestsName(p.Key, p.manifestsKey(saved.State.Release), 0))
}

// kept are the manifests that were saved of the release in the state.
func (p *Pass) kept(ctx context.Context) ([]*unstructured.Unstructured, error) {
	state := p.target.held.saved.State
	objects, err := p.site.store.manifests(ctx, p.target.held.saved.Active)
	if err != nil {
		return nil, err
	}
	p.target.release.Digest = state.Release.Digest
	p.target.versioned, p.target.plain = state.Versioned, state.Plain
	p.log.Debug("Release renders to something else since an upgrade, and stays as it was", "revision", state.Release.Revision)
	return objects, nil
}
