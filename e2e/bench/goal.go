package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/sluice-cd/sluice/e2e/world"
)

// goal is a state of objects that is waited for: all are there, the Deployments with the image; then all of those are
// available. Make it with lookout.aim before what should reach it begins.
type goal struct {
	image                  string
	missing, unavailable   map[world.Ref]bool
	applied, available     chan struct{}
	appliedAt, availableAt time.Time
}

// lookout watches the kinds of the monorepo in the whole cluster, for the floor and for the agent alike.
type lookout struct {
	lock  sync.Mutex
	goals []*goal
}

func newLookout(ctx context.Context, admin *rest.Config) (*lookout, error) {
	config := rest.CopyConfig(admin)
	config.ContentType = "application/vnd.kubernetes.protobuf" // cheap: it is measured along
	core, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	l := &lookout{}
	factory := informers.NewSharedInformerFactory(core, 0)
	for _, informer := range []cache.SharedIndexInformer{
		factory.Core().V1().ServiceAccounts().Informer(), factory.Core().V1().ConfigMaps().Informer(),
		factory.Core().V1().Services().Informer(), factory.Apps().V1().Deployments().Informer(),
		factory.Policy().V1().PodDisruptionBudgets().Informer(),
	} {
		handlers := cache.ResourceEventHandlerFuncs{AddFunc: l.see, UpdateFunc: func(_, o any) { l.see(o) }}
		if _, err := informer.AddEventHandler(handlers); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	for kind, ok := range factory.WaitForCacheSync(ctx.Done()) {
		if !ok {
			return nil, fmt.Errorf("watch %v: not listed", kind)
		}
	}
	return l, nil
}

// aim begins to look for the objects.
func (l *lookout) aim(refs []world.Ref, image string) *goal {
	g := &goal{image: image, missing: map[world.Ref]bool{}, unavailable: map[world.Ref]bool{},
		applied: make(chan struct{}), available: make(chan struct{})}
	for _, ref := range refs {
		g.missing[ref] = true
		if ref.Kind == "Deployment" {
			g.unavailable[ref] = true
		}
	}
	l.lock.Lock()
	defer l.lock.Unlock()
	l.goals = append(l.goals, g)
	return g
}

func (l *lookout) see(o any) {
	now, ref := time.Now(), world.Ref{}
	switch o.(type) {
	case *corev1.ServiceAccount:
		ref.Kind = "ServiceAccount"
	case *corev1.ConfigMap:
		ref.Kind = "ConfigMap"
	case *corev1.Service:
		ref.Kind = "Service"
	case *appsv1.Deployment:
		ref.Kind = "Deployment"
	case *policyv1.PodDisruptionBudget:
		ref.Kind = "PodDisruptionBudget"
	}
	object, ok := o.(metav1.Object)
	if !ok {
		return
	}
	ref.Namespace, ref.Name = object.GetNamespace(), object.GetName()
	l.lock.Lock()
	defer l.lock.Unlock()
	for _, g := range l.goals {
		g.see(ref, o, now)
	}
}

func (g *goal) see(ref world.Ref, o any, now time.Time) {
	d, ok := o.(*appsv1.Deployment)
	if ok && d.Spec.Template.Spec.Containers[0].Image != g.image {
		return
	}
	if g.missing[ref] {
		if delete(g.missing, ref); len(g.missing) == 0 {
			g.appliedAt = now
			close(g.applied)
		}
	}
	if ok && g.unavailable[ref] && rolledOut(d) {
		if delete(g.unavailable, ref); len(g.unavailable) == 0 {
			g.availableAt = now
			close(g.available)
		}
	}
}

func rolledOut(d *appsv1.Deployment) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == *d.Spec.Replicas &&
		s.AvailableReplicas == *d.Spec.Replicas && s.Replicas == *d.Spec.Replicas
}

// await returns how long it took from began until all was applied, and until all was available.
func (g *goal) await(b *bed, l *lookout, began time.Time, within time.Duration) (applied, available time.Duration) {
	b.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	for _, reached := range []chan struct{}{g.applied, g.available} {
		select {
		case <-reached:
		case <-b.ctx.Done():
			b.Fatal(b.ctx.Err())
		case <-deadline.C:
			l.lock.Lock()
			defer l.lock.Unlock()
			b.Fatalf("after %v %d objects are missing and %d Deployments not available", within, len(g.missing), len(g.unavailable))
		}
	}
	return g.appliedAt.Sub(began), g.availableAt.Sub(began)
}
