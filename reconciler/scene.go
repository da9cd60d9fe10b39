package reconciler

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/rollout"
)

// The labels and annotations of a pod that is kept for a look. It has no others, so that nothing selects it.
const (
	keptApplication = "sluice.dev/kept-application"
	keptEnvironment = "sluice.dev/kept-environment"
	keptOf          = "sluice.dev/kept-of" // the trigger of its release
	keptUntil       = "sluice.dev/kept-until"
	keptLabels      = "sluice.dev/kept-labels"                         // those that it had
	safeToEvict     = "cluster-autoscaler.kubernetes.io/safe-to-evict" // it holds no node
)

// mostKept is how many pods of a failed release are kept: a second one shows whether they fail alike.
const mostKept = 2

// seesWithin is how long a process that has just begun waits for its first sight of the pods, so that one that died before it
// kept them is no reason to keep none.
const seesWithin = 10 * time.Second

// keep takes a pod or two that failed out of everything that selects them, before the release goes back. What cannot
// be kept holds nothing up: the way back matters more.
func (p *Pass) keep(ctx context.Context) Outcome {
	state := p.target.held.saved.State
	blind := len(p.Seen.Workloads) < len(state.Staged) || slices.ContainsFunc(p.Seen.Workloads, func(w policies.Workload) bool { return !w.Seen })
	if blind && p.Seen.Now.Sub(p.Seen.Watched) < seesWithin {
		return Outcome{Verdict: Wait, Reason: "the pods that failed are kept when they are seen", After: 100 * time.Millisecond}
	}
	there, err := p.keptPods(ctx)
	names := []string{}
	for _, pod := range there {
		if pod.GetLabels()[keptOf] == state.Release.Trigger {
			names = append(names, apply.IDOf(pod).String())
		} else if err == nil {
			err = p.client().Discard(ctx, pod)
		}
	}
	for _, s := range state.Staged {
		for _, pod := range p.suspects(s) {
			if err != nil || len(names) >= mostKept || ctx.Err() != nil {
				break
			}
			var taken bool
			if taken, err = p.client().Detach(ctx, apply.ID(pod), p.keptAs(), p.keptNote()); taken {
				names = append(names, apply.ID(pod).String())
			}
		}
	}
	if err != nil {
		p.log.Warn("Pods were not kept", "err", err)
	}
	p.target.scene = sceneOf{state.Began, policies.SceneSeen{Tried: true, Pods: names}}
	return next
}

// clear deletes the pods that were kept.
func (p *Pass) clear(ctx context.Context) Outcome {
	pods, err := p.keptPods(ctx)
	for _, pod := range pods {
		err = cmp.Or(err, p.client().Discard(ctx, pod))
	}
	if err != nil {
		return retry(err)
	}
	p.target.scene = sceneOf{p.target.held.saved.State.Began, policies.SceneSeen{Cleared: true}}
	return next
}

// sceneOf is what became of the scene while the release that began at a time was in the state.
type sceneOf struct {
	began time.Time
	seen  policies.SceneSeen
}

// suspects are the unproven pods of a staged workload that a person wants to look at: those that are not Ready, and behind
// them those that are where they measured badly. The ReplicaSet of the proven ones is never touched.
func (p *Pass) suspects(s policies.Staged) []rollout.ID {
	for _, entry := range p.target.held.saved.Inventory {
		if entry.ID.String() == s.Name && isDeployment(entry.ID) {
			unwell, ready := p.site.observer.Unproven(rollout.ID(entry.ID), s.Proven)
			if p.target.held.saved.State.Against(p.Wanted) {
				return append(unwell, ready...)
			}
			return unwell
		}
	}
	return nil
}

// keptPods lists what is kept of this environment, wherever it has workloads.
func (p *Pass) keptPods(ctx context.Context) (pods []*unstructured.Unstructured, err error) {
	namespaces := map[string]bool{p.Rules.Namespace: true}
	for _, entry := range p.target.held.saved.Inventory {
		if isDeployment(entry.ID) {
			namespaces[entry.Namespace] = true
		}
	}
	selector := keptApplication + "=" + p.Application + "," + keptEnvironment + "=" + p.Environment
	for _, namespace := range slices.Sorted(maps.Keys(namespaces)) {
		found, failed := p.client().Pods(ctx, namespace, selector)
		pods, err = append(pods, found...), cmp.Or(err, failed)
	}
	return pods, err
}

func (p *Pass) keptAs() map[string]string {
	return map[string]string{
		keptApplication: p.Application, keptEnvironment: p.Environment, keptOf: p.target.held.saved.State.Release.Trigger,
	}
}

func (p *Pass) keptNote() apply.DetachedNote {
	return apply.DetachedNote{
		Annotations: map[string]string{
			keptUntil: p.target.held.saved.State.Scene.Until.UTC().Format(time.RFC3339), safeToEvict: "true",
		},
		Former: keptLabels,
	}
}
