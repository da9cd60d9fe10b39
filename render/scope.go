package render

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// scope says whether objects of a kind live in a namespace.
type scope string

const (
	namespaced scope = "Namespaced" // as a CustomResourceDefinition spells them
	cluster    scope = "Cluster"
)

// clusterKinds are the kinds without a namespace: those of Kubernetes, and of projects that are found in most clusters.
// Group and kind; a new version of a kind does not change its scope.
const clusterKinds = `
/ComponentStatus /Namespace /Node /PersistentVolume
admissionregistration.k8s.io/MutatingAdmissionPolicy admissionregistration.k8s.io/MutatingAdmissionPolicyBinding
admissionregistration.k8s.io/MutatingWebhookConfiguration admissionregistration.k8s.io/ValidatingAdmissionPolicy
admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding
admissionregistration.k8s.io/ValidatingWebhookConfiguration apiextensions.k8s.io/CustomResourceDefinition
apiregistration.k8s.io/APIService authentication.k8s.io/SelfSubjectReview authentication.k8s.io/TokenReview
authorization.k8s.io/SelfSubjectAccessReview authorization.k8s.io/SelfSubjectRulesReview
authorization.k8s.io/SubjectAccessReview certificates.k8s.io/CertificateSigningRequest
certificates.k8s.io/ClusterTrustBundle flowcontrol.apiserver.k8s.io/FlowSchema
flowcontrol.apiserver.k8s.io/PriorityLevelConfiguration internal.apiserver.k8s.io/StorageVersion
networking.k8s.io/IPAddress networking.k8s.io/IngressClass networking.k8s.io/ServiceCIDR
node.k8s.io/RuntimeClass policy/PodSecurityPolicy rbac.authorization.k8s.io/ClusterRole
rbac.authorization.k8s.io/ClusterRoleBinding resource.k8s.io/DeviceClass resource.k8s.io/DeviceTaintRule
resource.k8s.io/ResourceSlice scheduling.k8s.io/PriorityClass storage.k8s.io/CSIDriver storage.k8s.io/CSINode
storage.k8s.io/StorageClass storage.k8s.io/VolumeAttachment storage.k8s.io/VolumeAttributesClass
storagemigration.k8s.io/StorageVersionMigration
cert-manager.io/ClusterIssuer external-secrets.io/ClusterExternalSecret external-secrets.io/ClusterSecretStore
gateway.networking.k8s.io/GatewayClass karpenter.sh/NodePool kyverno.io/ClusterPolicy
cilium.io/CiliumClusterwideNetworkPolicy snapshot.storage.k8s.io/VolumeSnapshotClass
snapshot.storage.k8s.io/VolumeSnapshotContent
`

// scopes answers for the kinds of one render: what its own definitions say, then the frozen list. Every other kind
// counts as namespaced, as Flux has it: whoever applies knows the cluster's own answer, and drops the namespace of an
// object that turns out to have none.
type scopes map[string]scope

func scopesOf(objects []*unstructured.Unstructured) scopes {
	known := scopes{}
	for _, kind := range strings.Fields(clusterKinds) {
		known[kind] = cluster
	}
	for _, o := range objects {
		if o.GroupVersionKind().Group != "apiextensions.k8s.io" || o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		said, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
		if kind != "" {
			known[group+"/"+kind] = scope(said)
		}
	}
	return known
}

func (s scopes) of(o *unstructured.Unstructured) scope {
	if s[o.GroupVersionKind().Group+"/"+o.GetKind()] == cluster {
		return cluster
	}
	return namespaced
}
