package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	probeName      = "devcluster-probe"
	probeNamespace = metav1.NamespaceSystem
	probeTimeout   = 60 * time.Second
)

// createNodes makes the nodes that kwok then plays.
func (c *Cluster) createNodes(ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	for i := range c.state.Nodes {
		name := fmt.Sprintf("node-%d", i+1)
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			corev1.LabelHostname:     name,
			corev1.LabelOSStable:     "linux",
			corev1.LabelArchStable:   "amd64",
			corev1.LabelTopologyZone: fmt.Sprintf("zone-%d", i%2+1),
		}}}
		if _, err := client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create node %q: %w", name, err)
		}
	}
	return nil
}

// probe returns when a Deployment has become Available, which takes every component. That the API server is
// ready says nothing of the others.
func (c *Cluster) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	client, err := c.client()
	if err != nil {
		return err
	}
	deployments := client.AppsV1().Deployments(probeNamespace)
	if err := c.poll(ctx, func(ctx context.Context) error { return createProbe(ctx, client) }); err != nil {
		return err
	}
	if err := c.poll(ctx, func(ctx context.Context) error {
		d, err := deployments.Get(ctx, probeName, metav1.GetOptions{})
		if err == nil && d.Status.AvailableReplicas == 0 {
			err = errors.New("no pod is available")
		}
		return err
	}); err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	return deployments.Delete(ctx, probeName, metav1.DeleteOptions{PropagationPolicy: &background})
}

// createProbe may have to wait for the namespace, which the API server makes after it has become ready.
func createProbe(ctx context.Context, client kubernetes.Interface) error {
	labels := map[string]string{"app": probeName}
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: probeName},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "probe", Image: "probe:1"}}},
			},
		},
	}
	_, err := client.AppsV1().Deployments(probeNamespace).Create(ctx, d, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
