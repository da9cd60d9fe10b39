package apply

import (
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Labels and annotations of ours. The labels are on every object, never on a pod template.
const (
	LabelApplication = "sluice.dev/application"
	LabelEnvironment = "sluice.dev/environment"
	LabelAgent       = "sluice.dev/agent"
	// AnnotationRecreate set to "true" allows an object to be deleted and created anew when a field that changed
	// is immutable.
	AnnotationRecreate = "sluice.dev/recreate"
	// AnnotationPrune set to "disabled" keeps an object that Git no longer has.
	AnnotationPrune = "sluice.dev/prune"
)

const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// Owner is whose objects they are.
type Owner struct {
	Application, Environment string
	Was                      []Owner // earlier names, whose objects are taken over
}

func (o Owner) String() string {
	return fmt.Sprintf("application %q, environment %q", o.Application, o.Environment)
}

func (o Owner) same(other Owner) bool {
	return o.Application == other.Application && o.Environment == other.Environment
}

// labelled returns whose labels an object bears; none: it bears none of ours.
func labelled(obj *unstructured.Unstructured) (owner Owner, agent string, none bool) {
	labels := obj.GetLabels()
	owner = Owner{Application: labels[LabelApplication], Environment: labels[LabelEnvironment]}
	return owner, labels[LabelAgent], owner.same(Owner{})
}

// clash says why a labelled object is not ours; empty: it is. An object whose agent was taken off it belongs to
// whichever agent serves its application.
func (o Owner) clash(live *unstructured.Unstructured, agent string) string {
	owner, by, _ := labelled(live)
	switch {
	case !o.same(owner) && !slices.ContainsFunc(o.Was, owner.same):
		return fmt.Sprintf("it belongs to %s; this is %s", owner, o)
	case by != "" && by != agent:
		return fmt.Sprintf("it belongs to agent %q and this is agent %q: two agents serve %s", by, agent, o)
	}
	return ""
}

// Owns reports whether a live object bears the owner's labels, or those of an earlier name.
func (o Owner) Owns(live *unstructured.Unstructured) bool {
	owner, _, none := labelled(live)
	return !none && (o.same(owner) || slices.ContainsFunc(o.Was, owner.same))
}

// foreigner says who made an object that bears no labels of ours.
func foreigner(live *unstructured.Unstructured) string {
	labels, notes := live.GetLabels(), live.GetAnnotations()
	for _, of := range []string{"kustomize", "helm"} {
		if name := labels[of+".toolkit.fluxcd.io/name"]; name != "" {
			return fmt.Sprintf("Flux (%s %s/%s)", of, labels[of+".toolkit.fluxcd.io/namespace"], name)
		}
	}
	if release := notes["meta.helm.sh/release-name"]; release != "" && labels["app.kubernetes.io/managed-by"] == "Helm" {
		return fmt.Sprintf("Helm (release %s/%s)", notes["meta.helm.sh/release-namespace"], release)
	}
	if id := notes["argocd.argoproj.io/tracking-id"]; id != "" {
		name, _, _ := strings.Cut(id, ":")
		return fmt.Sprintf("Argo CD (application %s)", name)
	}
	managers := live.GetManagedFields()
	for _, m := range managers {
		if strings.HasPrefix(m.Manager, "argocd") {
			return fmt.Sprintf("Argo CD (application %s)", labels["app.kubernetes.io/instance"])
		}
	}
	if _, ok := notes[lastApplied]; ok {
		return "kubectl apply"
	}
	if len(managers) > 0 {
		most := slices.MaxFunc(managers, func(a, b metav1.ManagedFieldsEntry) int { return written(a) - written(b) })
		return fmt.Sprintf("somebody else (field manager %q)", most.Manager)
	}
	return "somebody else"
}

// written is roughly how much of an object a manager wrote, but for status and the like.
func written(entry metav1.ManagedFieldsEntry) int {
	if entry.FieldsV1 == nil || entry.Subresource != "" {
		return 0
	}
	return len(entry.FieldsV1.GetRawBytes())
}

// claim decides whether a live object may be written to. Known: it is the one that the inventory has, so that labels
// that were taken off it are only drift. TakeOver: it is somebody else's and is to be ours from now on.
func (o Owner) claim(live *unstructured.Unstructured, agent string, known, adopt bool) (takeOver bool, refused string) {
	if _, _, none := labelled(live); !none {
		return false, o.clash(live, agent)
	}
	switch {
	case known:
		return false, ""
	case adopt:
		return true, ""
	}
	return false, fmt.Sprintf("it exists already and was made by %s; to take it over set adopt: true", foreigner(live))
}
