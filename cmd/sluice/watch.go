package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/sluice-cd/sluice/reconciler"
)

// watcher shows one environment as it is in the cluster, from watches alone.
type watcher struct {
	key       reconciler.Key
	namespace string // of the state
	core      typed.CoreV1Interface
	moved     chan struct{} // something may be to be shown

	mu      sync.Mutex
	secret  *corev1.Secret
	pods    map[string]*corev1.Pod // by namespace/name
	watched []string               // namespaces whose pods are
	fault   error                  // why a watch will show nothing
	trouble string                 // why one shows nothing at present
}

func watchStatus(cmd *cobra.Command, flags statusFlags, key reconciler.Key) error {
	conf, err := flags.rest()
	if err != nil {
		return err
	}
	core, err := typed.NewForConfig(conf)
	if err != nil {
		return err
	}
	w := &watcher{key: key, namespace: flags.namespace, core: core, moved: make(chan struct{}, 1), pods: map[string]*corev1.Pod{}}
	ctx, cancel := context.WithCancel(cmd.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	_, err = core.Secrets(w.namespace).Get(ctx, reconciler.StateName(key), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return noState(key, w.namespace)
	}
	if err != nil {
		return err
	}
	running.Go(func() {
		w.follow(ctx, "secrets", w.namespace, fields.OneTermEqualSelector("metadata.name", reconciler.StateName(key)), &corev1.Secret{})
	})
	return w.show(ctx, &running, newScreen(cmd.OutOrStdout(), flags.output))
}

// noState says that no agent has state of a key.
func noState(key reconciler.Key, namespace string) error {
	return hinted{fmt.Errorf("no agent has state of %s in namespace %q", key, namespace), "kubectl get secrets -A -l state.sluice.dev/kind=state"}
}

// show draws whatever moved until ctx ends, which is how a person ends it.
func (w *watcher) show(ctx context.Context, running *sync.WaitGroup, screen *screen) error {
	second := time.NewTicker(time.Second) // the time that is left goes by itself
	defer second.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.moved:
		case <-second.C:
			if !screen.live {
				continue
			}
		}
		seen, err := w.look(ctx, running)
		if err != nil {
			return err
		}
		if seen == nil {
			continue
		}
		if err := screen.draw(*seen, time.Now()); err != nil {
			return err
		}
	}
}

// look is what there is to show; nil: nothing was seen yet.
func (w *watcher) look(ctx context.Context, running *sync.WaitGroup) (*glance, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fault != nil {
		return nil, w.fault
	}
	if w.secret == nil {
		return nil, nil
	}
	saved, err := reconciler.ReadState(w.secret)
	if err != nil {
		return nil, err
	}
	for _, s := range saved.State.Staged {
		if namespace := strings.Split(s.Name, "/")[1]; !slices.Contains(w.watched, namespace) {
			w.watched = append(w.watched, namespace)
			running.Go(func() { w.follow(ctx, "pods", namespace, fields.Everything(), &corev1.Pod{}) })
		}
	}
	seen := glanceAt(saved, w.pods)
	seen.Trouble = printable(w.trouble)
	return &seen, nil
}

// follow keeps what a watch shows until ctx ends. Where it may not be watched, that is the end of all.
func (w *watcher) follow(ctx context.Context, resource, namespace string, which fields.Selector, kind runtime.Object) {
	source := cache.NewListWatchFromClient(w.core.RESTClient(), resource, namespace, which)
	informer := cache.NewSharedInformer(source, kind, 0)
	_ = informer.SetWatchErrorHandler(func(_ *cache.Reflector, err error) { //nolint:errcheck // it does not run yet
		w.note(func() {
			if w.trouble = err.Error(); apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
				w.fault = err
			}
		})
	})
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { w.put(o) },
		UpdateFunc: func(_, o any) { w.put(o) },
		DeleteFunc: func(o any) {
			if gone, ok := o.(cache.DeletedFinalStateUnknown); ok {
				o = gone.Obj
			}
			w.remove(o)
		},
	})
	if err == nil {
		informer.RunWithContext(ctx)
	}
}

func (w *watcher) put(o any) {
	w.note(func() {
		w.trouble = ""
		switch o := o.(type) {
		case *corev1.Secret:
			w.secret = o
		case *corev1.Pod:
			w.pods[o.Namespace+"/"+o.Name] = o
		}
	})
}

func (w *watcher) remove(o any) {
	w.note(func() {
		w.trouble = ""
		switch o := o.(type) {
		case *corev1.Secret:
			w.fault = noState(w.key, w.namespace)
		case *corev1.Pod:
			delete(w.pods, o.Namespace+"/"+o.Name)
		}
	})
}

// note changes what is known, and has it drawn.
func (w *watcher) note(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
	select {
	case w.moved <- struct{}{}:
	default:
	}
}

// screen is where glances are drawn: anew in place on a terminal, else a line for each that differs from the one before.
type screen struct {
	out  io.Writer
	live bool
	json bool
	last string // line
}

func newScreen(out io.Writer, format string) *screen {
	return &screen{out: out, json: format == "json", live: format != "json" && isTerminal(out)}
}

func (s *screen) draw(g glance, now time.Time) error {
	if s.live {
		_, err := fmt.Fprint(s.out, "\x1b[H\x1b[J", g.text(now)) // from the upper left corner, on an empty screen
		return err
	}
	line := g.line()
	if s.json {
		raw, err := json.Marshal(g)
		if err != nil {
			return err
		}
		line = string(raw)
	}
	if line == s.last {
		return nil
	}
	s.last = line
	if !s.json {
		line = now.Local().Format(time.TimeOnly) + " " + line
	}
	_, err := fmt.Fprintln(s.out, line)
	return err
}
