package kustomize

import (
	"slices"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/sluice-cd/sluice/render/manifest"
)

// managedBy is what the kustomize program of this version writes where a kustomization asks for buildMetadata: [managedByLabel]. The library
// writes the version of whatever program it is a part of: each build of the agent would be a new release of everything.
const managedBy = "kustomize-v5.8.2"

// sign puts the label right.
func (s *survey) sign(objects []manifest.Object) {
	if !slices.Contains(s.root.BuildMetadata, types.ManagedByLabelOption) {
		return
	}
	for _, o := range objects {
		labels := o.GetLabels()
		labels[konfig.ManagedbyLabelKey] = managedBy
		o.SetLabels(labels)
	}
}
