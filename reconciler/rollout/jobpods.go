package rollout

import (
	"context"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// DiagnoseJob says why the newest pod of a Job that failed did. It asks the API server as the given identity: nobody needs to
// watch the Job. Of pods that are gone, as where the Job took too long, it knows nothing.
func DiagnoseJob(ctx context.Context, config *rest.Config, namespace, name string) ([]Finding, error) {
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	list, err := c.core.Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + name})
	if err != nil {
		return nil, fmt.Errorf("list pods of Job %q: %w", namespace+"/"+name, err)
	}
	var pods []pod
	for i := range list.Items {
		if p := reducePod(&list.Items[i]); p.owner.Kind == "Job" && p.owner.Name == name {
			pods = append(pods, p)
		}
	}
	slices.SortFunc(pods, func(a, b pod) int { return b.created.Compare(a.created) })
	for _, p := range pods {
		e := examination{pod: p}
		if e.look(); len(e.findings) > 0 {
			return e.findings, nil
		}
	}
	return nil, nil
}
