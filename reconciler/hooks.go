package reconciler

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/render"
)

const (
	// hookAnnotation marks an object among the manifests of a release as a hook; its value are the hook's moments. Hooks are saved
	// with the manifests, and so are there where neither Git nor the renderer is.
	hookAnnotation = render.HookAnnotation
	// runAnnotation on the live object of a hook says which run of it made it, so that none is begun twice.
	runAnnotation = "sluice.dev/hook-run"
	// deletePolicies are a chart's words for when the object of a hook goes.
	deletePolicies = "helm.sh/hook-delete-policy"

	beforeCreation = "before-hook-creation"
	hookSucceeded  = "hook-succeeded"
	hookFailed     = "hook-failed"
)

const (
	// hookGrace is how much later than the agent's own bound a Job or a Pod is ended by its controller, where the agent is away:
	// what it said last can be read until then.
	hookGrace = 30 * time.Second
	// hookAfterlife is how long a Job stays at least that deletes itself: an agent that was away is to find how it ended.
	hookAfterlife = 10 * time.Minute
)

// hookRun is the object of a hook, and the run of the hook that made it.
type hookRun struct {
	apply.Entry
	Run    string          `json:"run"`
	Moment policies.Moment `json:"moment,omitempty"`
	// Since is that of the [policies.Hooking] that it belongs to.
	Since time.Time `json:"since,omitzero"`
	// Policies are the chart's words for when the object goes, and Ended is how the run did; empty: it has not, as far as is known.
	Policies []string            `json:"policies,omitempty"`
	Ended    policies.HookResult `json:"ended,omitempty"`
}

func annotate(o *unstructured.Unstructured, key, value string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	o.SetAnnotations(annotations)
}

func isHook(o *unstructured.Unstructured) bool {
	_, marked := o.GetAnnotations()[hookAnnotation]
	return marked
}

func momentsOf(o *unstructured.Unstructured) []string {
	return strings.Split(o.GetAnnotations()[hookAnnotation], ",")
}

// hooksAt are the hooks among the objects that run at a moment, in order.
func hooksAt(objects []*unstructured.Unstructured, moment policies.Moment) (all []*unstructured.Unstructured) {
	for _, o := range objects {
		if isHook(o) && slices.Contains(momentsOf(o), string(moment)) {
			all = append(all, o)
		}
	}
	return all
}

// hooksIn counts the hooks among the objects; nil: there are none.
func hooksIn(objects []*unstructured.Unstructured) policies.Hooks {
	var counts policies.Hooks
	for _, o := range objects {
		if !isHook(o) {
			continue
		}
		for _, moment := range momentsOf(o) {
			if counts == nil {
				counts = policies.Hooks{}
			}
			counts[policies.Moment(moment)]++
		}
	}
	return counts
}

// due are the objects that may be sent: tests only where the rules ask for them.
func due(objects []*unstructured.Unstructured, tests bool) []*unstructured.Unstructured {
	return slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool {
		return !tests && isHook(o) && len(momentsOf(o)) == 1 && momentsOf(o)[0] == string(policies.Test)
	})
}

// twice says which hooks are objects that the release keeps, too: what a hook deletes would be missing.
func twice(objects []*unstructured.Unstructured) (refused []string) {
	kept := applied(objects)
	for _, o := range objects {
		if id := apply.IDOf(o); isHook(o) && objectOf(kept, id) != nil {
			refused = append(refused, fmt.Sprintf("%s: it is a hook and an object of the release at once", id))
		}
	}
	return refused
}

// withNames are the objects with the names that were decided on for configuration. What a hook reads or is keeps its own.
func withNames(objects []*unstructured.Unstructured, versioned bool, plain []string) []*unstructured.Unstructured {
	hooks := slices.DeleteFunc(slices.Clone(objects), func(o *unstructured.Unstructured) bool { return !isHook(o) })
	kept := slices.DeleteFunc(slices.Clone(objects), isHook)
	return append(policies.Named(kept, versioned, plain), hooks...)
}

// runs reports whether a hook of this kind is done when it ended, and not when it was applied.
func runs(id apply.ID) bool {
	return id.Group == "batch" && id.Kind == "Job" || id.Group == "" && id.Kind == "Pod"
}

// runName names a run of the hook that is due. It is made of what is saved, so that after a restart the same run is found.
func (p *Pass) runName(h policies.Hooking) string {
	sum := sha256.Sum256(fmt.Append(nil, p.Key, h.Since.UnixNano(), h.Moment(), h.Next))
	return hex.EncodeToString(sum[:8])
}

// hookLimit is how long a hook may take: what it says itself, else what the rules say. Where it says so itself its controller
// ends it first.
func (p *Pass) hookLimit(o *unstructured.Unstructured) time.Duration {
	if own, ok := secondsIn(o, "activeDeadlineSeconds"); ok && runs(apply.IDOf(o)) {
		return time.Duration(own)*time.Second + hookGrace
	}
	return p.Rules.Rollout.HookTimeout.Std()
}

// secondsIn is a number of a spec, whoever decoded it.
func secondsIn(o *unstructured.Unstructured, field string) (int64, bool) {
	spec, _ := o.Object["spec"].(map[string]any)
	switch n := spec[field].(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	}
	return 0, false
}

// outgoingHook is a hook as it is sent: it says which run it is, and ends by itself.
func (p *Pass) outgoingHook(o *unstructured.Unstructured, run string) *unstructured.Unstructured {
	made := o.DeepCopy()
	annotate(made, runAnnotation, run)
	if made.GetName() == "" {
		made.SetName(made.GetGenerateName() + run)
	}
	unstructured.RemoveNestedField(made.Object, "metadata", "generateName")
	spec, ok := made.Object["spec"].(map[string]any)
	if !ok || !runs(apply.IDOf(made)) {
		return made
	}
	if spec["activeDeadlineSeconds"] == nil {
		spec["activeDeadlineSeconds"] = int64((p.hookLimit(o) + hookGrace).Seconds())
	}
	if ttl, ok := secondsIn(made, "ttlSecondsAfterFinished"); ok {
		spec["ttlSecondsAfterFinished"] = max(ttl, int64(hookAfterlife.Seconds()))
	}
	return made
}

func policiesOf(o *unstructured.Unstructured) (all []string) {
	for policy := range strings.SplitSeq(o.GetAnnotations()[deletePolicies], ",") {
		if policy = strings.ToLower(strings.TrimSpace(policy)); policy != "" {
			all = append(all, policy)
		}
	}
	return all
}
