package reconciler

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/view"
	"github.com/sluice-cd/sluice/render"
)

const (
	// manifestsKept is how many releases are kept for those who look, and manifestsAge how long nobody needs to look.
	manifestsKept = 4
	manifestsAge  = time.Minute
	// manifestsWait bounds the wait for them.
	manifestsWait = 5 * time.Second
)

// savedManifests are the manifests of the releases that somebody looked at last. They are read one after the other.
type savedManifests struct {
	turn chan struct{}
	mu   sync.Mutex
	kept []keptManifests // the one that was used last is the first
}

type keptManifests struct {
	names   string
	at      time.Time
	objects map[apply.ID]any // masked, and never changed
}

func newSavedManifests() savedManifests { return savedManifests{turn: make(chan struct{}, 1)} }

// Manifest implements view.Source.
func (v *View) Manifest(ctx context.Context, of view.Key, object string) (string, error) {
	left, s, err := v.look(Key(of))
	if err != nil {
		return "", err
	}
	entries := left.owned()
	i := slices.IndexFunc(entries, func(e owned) bool { return e.name == object })
	if i < 0 || len(left.manifests) == 0 {
		return "", view.ErrUnknown
	}
	objects, err := v.saved.read(ctx, s, left)
	if err != nil {
		return "", err
	}
	o, ok := objects[entries[i].ID]
	if !ok {
		return "", view.ErrUnknown // it is left over from an earlier release, or stands beside it
	}
	text, err := yaml.Marshal(o)
	return left.secrets.mask(string(text)), err
}

// read reads what was sent, masked.
func (m *savedManifests) read(ctx context.Context, s *site, left shown) (map[apply.ID]any, error) {
	of := s.name + " " + strings.Join(left.manifests, " ")
	if found := m.find(of); found != nil {
		return found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, manifestsWait)
	defer cancel()
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if found := m.find(of); found != nil {
		return found, nil
	}
	if !s.ready() {
		return nil, fmt.Errorf("read manifests: cluster %q was not reached yet", s.name)
	}
	sent, err := s.store.manifests(ctx, left.manifests)
	if err != nil {
		return nil, err
	}
	objects := masked(sent, left.secrets, left.generated)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = append([]keptManifests{{of, time.Now(), objects}}, m.kept[:min(len(m.kept), manifestsKept-1)]...)
	return objects, nil
}

func (m *savedManifests) find(of string) map[apply.ID]any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.kept = slices.DeleteFunc(m.kept, func(k keptManifests) bool { return time.Since(k.at) > manifestsAge })
	for _, k := range m.kept {
		if k.names == of {
			return k.objects
		}
	}
	return nil
}

// masked are the objects without the values of Secrets, wherever they stand, and without what was made by chance, where it
// stands: whoever looks may see that a value is there.
func masked(objects []*unstructured.Unstructured, hidden secretTexts, generated []render.Generated) map[apply.ID]any {
	secrets, shown := hidden.with(objects), map[apply.ID]any{}
	for _, o := range objects {
		was := renderedAs(o)
		for _, g := range generated {
			if g.Is(was) {
				g.Hide(o)
			}
		}
		if o.GetKind() == "Secret" && o.GetAPIVersion() == "v1" {
			for _, field := range []string{"data", "stringData"} {
				if values, ok := o.Object[field].(map[string]any); ok {
					for name := range values {
						values[name] = apply.HiddenValue
					}
				} else if o.Object[field] != nil {
					o.Object[field] = apply.HiddenValue
				}
			}
		}
		shown[apply.IDOf(o)] = maskedValue(o.Object, secrets)
	}
	return shown
}
