package world

import (
	"maps"
	"slices"
	"sync"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// Jobs is what a watch has seen of the Jobs of a namespace.
type Jobs struct {
	mu  sync.Mutex
	ran map[string]map[string]string // labels by name, of all that there ever were
	now map[string]bool
}

// WatchJobs begins to watch the Jobs of a namespace.
func (c *Cluster) WatchJobs(t testing.TB, namespace string) *Jobs {
	t.Helper()
	events, err := c.Core.BatchV1().Jobs(namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(events.Stop)
	j := &Jobs{ran: map[string]map[string]string{}, now: map[string]bool{}}
	go func() {
		for event := range events.ResultChan() {
			job, ok := event.Object.(*batchv1.Job)
			if !ok {
				continue
			}
			j.mu.Lock()
			j.ran[job.Name] = job.Labels
			j.now[job.Name] = true
			if event.Type == watch.Deleted {
				delete(j.now, job.Name)
			}
			j.mu.Unlock()
		}
	}()
	return j
}

// Ran are all Jobs that there ever were, with their labels.
func (j *Jobs) Ran() map[string]map[string]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return maps.Clone(j.ran)
}

// Left are the names of those that are there.
func (j *Jobs) Left() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.now))
}
