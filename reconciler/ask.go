package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/metadata"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// passID is short and unique in the process, so that the log lines of one pass can be found together.
func (a *Agent) passID() string { return strconv.FormatInt(a.passes.Add(1), 36) }

// wakeAll queues every key that Git has, and these. Promotions begin with a cluster too: the next poll may be an hour away.
func (a *Agent) wakeAll(more []Key) {
	keys, gone := a.catalog.update(a.serves)
	for _, key := range slices.Concat(keys, gone, more) {
		a.queue.Add(key)
	}
	for _, p := range a.promoters {
		p.poke()
	}
}

// home is the cluster that the agent itself is in.
func (a *Agent) home() (typed.CoreV1Interface, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.core != nil {
		return a.core, nil
	}
	conf, err := config.RestConfig(config.ClusterRef{Kubeconfig: a.kubeconfig})
	if err != nil {
		return nil, err
	}
	conf.QPS, conf.UserAgent = -1, "sluice"
	a.metrics.counted(conf, "local")
	a.core, err = typed.NewForConfig(conf)
	return a.core, err
}

// listen watches the state Secrets for people who ask for a pass by annotation.
func (s *site) listen(ctx context.Context) {
	seen, words := map[string]string{}, map[string]string{}
	selector := stateAgent + "=" + s.agent.name + "," + stateKind + "=state"
	for ctx.Err() == nil {
		if err := s.listenOnce(ctx, selector, seen, words); err != nil && ctx.Err() == nil {
			s.log.Debug("Watch of state ended", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (s *site) listenOnce(ctx context.Context, selector string, seen, words map[string]string) error {
	events, err := s.watchState(ctx, selector)
	if err != nil {
		return err
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		secret, ok := event.Object.(metav1.Object)
		if !ok || event.Type != watch.Added && event.Type != watch.Modified {
			continue
		}
		labels := secret.GetLabels()
		key := Key{labels[stateApplication], labels[stateEnvironment]}
		if word, by := wordOf(secret); word != words[secret.GetName()] {
			if words[secret.GetName()] = word; word != "" {
				s.agent.tellBack(key, word, by)
			}
		}
		asked := secret.GetAnnotations()[ReconcileAnnotation]
		if asked == "" || seen[secret.GetName()] == asked {
			continue
		}
		seen[secret.GetName()] = asked
		s.agent.ask(key, strings.HasPrefix(asked, "verify"))
	}
	return nil
}

// ask makes a pass due now. With verify every object is compared.
func (a *Agent) ask(k Key, verify bool) {
	t := a.target(k)
	t.mu.Lock()
	t.verify = t.verify || verify
	t.hurry = true
	t.mu.Unlock()
	if found, err := a.catalog.find(k.Application); err == nil {
		found.source.poke()
	}
	a.queue.Add(k)
}

// stateSecrets are the Secrets of this agent in a cluster, by their metadata: what is in them it wrote itself.
func (s *site) stateSecrets() (metadata.ResourceInterface, error) {
	client, err := metadata.NewForConfig(s.rest)
	if err != nil {
		return nil, err
	}
	return client.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(s.agent.config.StateNamespace), nil
}

func (s *site) watchState(ctx context.Context, selector string) (watch.Interface, error) {
	secrets, err := s.stateSecrets()
	if err != nil {
		return nil, err
	}
	return secrets.Watch(ctx, metav1.ListOptions{LabelSelector: selector})
}

// listManifests lists the Secrets with manifests.
func (s *site) listManifests(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	secrets, err := s.stateSecrets()
	if err != nil {
		return nil, err
	}
	list, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: stateAgent + "=" + s.agent.name + "," + stateKind + "=manifests"})
	if err != nil {
		return nil, fmt.Errorf("list manifests in namespace %q: %w", s.agent.config.StateNamespace, err)
	}
	return list.Items, nil
}
