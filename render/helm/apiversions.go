package helm

import (
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
)

// DefaultKubeVersion is what charts see when the request names no version.
const DefaultKubeVersion = "v1.36.0"

// helmVersion is what charts see as .Capabilities.HelmVersion.Version.
const helmVersion = "v3.22.0"

// defaultAPIVersions is what the helm program v3.22.0 knows without a cluster. Frozen, because the library derives
// it from whatever a program links.
const defaultAPIVersions = `
v1 admissionregistration.k8s.io/v1 admissionregistration.k8s.io/v1alpha1 admissionregistration.k8s.io/v1beta1
internal.apiserver.k8s.io/v1alpha1 apps/v1 apps/v1beta1 apps/v1beta2 authentication.k8s.io/v1
authentication.k8s.io/v1alpha1 authentication.k8s.io/v1beta1 authorization.k8s.io/v1
authorization.k8s.io/v1beta1 autoscaling/v1 autoscaling/v2 batch/v1 batch/v1beta1 certificates.k8s.io/v1
certificates.k8s.io/v1beta1 certificates.k8s.io/v1alpha1 coordination.k8s.io/v1alpha2
coordination.k8s.io/v1beta1 coordination.k8s.io/v1 discovery.k8s.io/v1 discovery.k8s.io/v1beta1 events.k8s.io/v1
events.k8s.io/v1beta1 extensions/v1beta1 flowcontrol.apiserver.k8s.io/v1 flowcontrol.apiserver.k8s.io/v1beta1
flowcontrol.apiserver.k8s.io/v1beta2 flowcontrol.apiserver.k8s.io/v1beta3 lifecycle.k8s.io/v1alpha1
networking.k8s.io/v1 networking.k8s.io/v1beta1 node.k8s.io/v1 node.k8s.io/v1alpha1 node.k8s.io/v1beta1 policy/v1
policy/v1beta1 rbac.authorization.k8s.io/v1 rbac.authorization.k8s.io/v1beta1 rbac.authorization.k8s.io/v1alpha1
resource.k8s.io/v1 resource.k8s.io/v1beta2 resource.k8s.io/v1beta1 resource.k8s.io/v1alpha3
scheduling.k8s.io/v1alpha3 scheduling.k8s.io/v1beta1 scheduling.k8s.io/v1 storage.k8s.io/v1beta1
storage.k8s.io/v1 storage.k8s.io/v1alpha1 storagemigration.k8s.io/v1 storagemigration.k8s.io/v1beta1
apiextensions.k8s.io/v1beta1 apiextensions.k8s.io/v1`

// APIVersions is the list of a cluster that serves these beside what the helm program knows without one, as its
// --api-versions has it; nil without any.
func APIVersions(more []string) []string {
	if len(more) == 0 {
		return nil
	}
	return append(strings.Fields(defaultAPIVersions), more...)
}

// target builds the capabilities of a request; nothing of the library's defaults shows through.
func target(kubeVersion string, apiVersions []string) (*chartutil.Capabilities, error) {
	if kubeVersion == "" {
		kubeVersion = DefaultKubeVersion
	}
	version, err := chartutil.ParseKubeVersion(kubeVersion)
	if err != nil {
		return nil, err
	}
	if len(apiVersions) == 0 {
		apiVersions = strings.Fields(defaultAPIVersions)
	}
	caps := &chartutil.Capabilities{KubeVersion: *version, APIVersions: append(chartutil.VersionSet{}, apiVersions...)}
	caps.HelmVersion.Version = helmVersion
	return caps, nil
}
