package policies

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// overloaded: where new pods take the places of proven ones, each stage shares the traffic out among no more pods than
// before, and some bear what others did. Double is what every way to the end and back allows.
func (c *Canary) overloaded(w workload, objects []*unstructured.Unstructured) (found []string) {
	_, service := c.Traffic.Find(objects)
	replicas := w.replicas(objects)
	if c.Capacity != Replace || service == nil || w.object.GetKind() != deploymentKind || !Selects(service, w.object) || replicas < 2 {
		return nil
	}
	before := 0
	for i, step := range c.Steps {
		pods, weight := step.Pods(replicas, Replace), step.share(replicas, Replace)
		left := replicas - pods
		if (100-before)*replicas > 200*left {
			found = append(found, fmt.Sprintf("stage %d (%s) leaves %d of %d proven pods, which bear %d%% of the traffic until its new pods are "+
				"Ready: more than double", i+1, step, left, replicas, 100-before))
		}
		if weight*replicas > 200*pods {
			found = append(found, fmt.Sprintf("stage %d (%s) sends %d%% of the traffic to %d of %d pods: more than double", i+1, step, weight,
				pods, replicas))
		}
		before = weight
	}
	return found
}
