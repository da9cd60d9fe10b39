package reconciler

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// The labels of the agent's own Secrets. They are others than those of the objects that applications own, so
// that no state is ever taken for an application's object.
const (
	stateAgent       = "state.sluice.dev/agent"
	stateApplication = "state.sluice.dev/application"
	stateEnvironment = "state.sluice.dev/environment"
	stateKind        = "state.sluice.dev/kind"
	// ReconcileAnnotation on a state Secret wants a pass now; its value is any text, and another one each
	// time. A value that begins with "verify" wants every object compared.
	ReconcileAnnotation = "sluice.dev/reconcile"
	// RollbackAnnotation on a state Secret wants the environment to go back, whether Git can be asked or not: to a revision that
	// was proven there, or "proven" for the last one. What follows after a space is told as the reason. It is taken away when
	// it is followed, and Git's next trigger ends it.
	RollbackAnnotation = "sluice.dev/rollback"
)

// errForeignState is the state of another agent: two serve one environment by mistake.
var errForeignState = errors.New("environment is served by another agent")

// store keeps state in one namespace of one cluster. It may be used concurrently for different keys.
type store struct {
	secrets   typed.SecretInterface
	namespace string
	agent     string
	cluster   string // UID
	packer    packer
}

// held is a saved state and the version it was read or written at.
type held struct {
	saved           Saved
	resourceVersion string
	bytes           []byte            // as they lie in the Secret, to see whether somebody else wrote it
	sum             [sha256.Size]byte // of its JSON, to see whether anything changed; zero: nothing was read
	fault           error             // why saved could not be read, and is zero
	// outbox is the one that lies in the Secret. Only its lines may be published: one that was not saved would be
	// made again, with the same sequence, by the next process.
	outbox record.Outbox
}

// plain is a state as it is saved, before it is compressed, and whether it is another than the one in the Secret.
func (h *held) plain() (text []byte, changed bool, err error) {
	text, err = json.Marshal(&h.saved)
	if err != nil {
		return nil, false, fmt.Errorf("encode state of %s: %w", h.saved.Key, err)
	}
	return text, sha256.Sum256(text) != h.sum, nil
}

// StateName is the name of the Secret with the state of a key.
func StateName(k Key) string { return "sluice." + k.Application + "." + k.Environment }

// all reads every state of this agent in one request.
func (s *store) all(ctx context.Context) (map[Key]held, error) {
	list, err := s.secrets.List(ctx, metav1.ListOptions{LabelSelector: stateAgent + "=" + s.agent + "," + stateKind + "=state"})
	if err != nil {
		return nil, fmt.Errorf("list state in namespace %q: %w", s.namespace, err)
	}
	found := make(map[Key]held, len(list.Items))
	for i := range list.Items {
		h, err := s.read(&list.Items[i])
		if err != nil {
			continue // its own key says so, when it reads it again
		}
		found[h.saved.Key] = h
	}
	return found, nil
}

// load reads one state; a missing one is the zero value. State of another cluster counts as missing, but for
// its version, so that it can be overwritten.
func (s *store) load(ctx context.Context, k Key) (held, error) {
	secret, err := s.secrets.Get(ctx, StateName(k), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return held{}, nil
	}
	if err != nil {
		return held{}, fmt.Errorf("read state of %s: %w", k, err)
	}
	return s.read(secret)
}

func (s *store) read(secret *corev1.Secret) (held, error) {
	if other := secret.Labels[stateAgent]; other != s.agent {
		return held{}, fmt.Errorf("%w: %q, by Secret %s/%s; this one is %q", errForeignState, other, s.namespace, secret.Name, s.agent)
	}
	h := held{resourceVersion: secret.ResourceVersion, bytes: secret.Data["state"]}
	text, err := unpack(h.bytes)
	if err == nil {
		err = json.Unmarshal(text, &h.saved)
	}
	if err != nil { // it can be lost, so it can be spoilt
		key := Key{secret.Labels[stateApplication], secret.Labels[stateEnvironment]}
		return held{
			saved: Saved{Key: key}, resourceVersion: secret.ResourceVersion, bytes: h.bytes,
			fault: fmt.Errorf("read state in Secret %s/%s: %w", s.namespace, secret.Name, err),
		}, nil
	}
	if h.saved.Version > savedVersion {
		return held{}, fmt.Errorf("read state in Secret %s/%s: written by a newer agent (version %d, known %d)", s.namespace, secret.Name, h.saved.Version, savedVersion)
	}
	if h.saved.Cluster != s.cluster {
		h.saved = Saved{Key: h.saved.Key}
	}
	h.outbox, h.sum = h.saved.Outbox, sha256.Sum256(text)
	return h, nil
}

// save writes a state if it changed, at the version it was read at; a conflict is an error.
func (s *store) save(ctx context.Context, h *held) error {
	text, changed, err := h.plain()
	if err != nil || !changed {
		return err
	}
	data, err := s.packer.pack(text)
	if err != nil {
		return err
	}
	secret := s.secret(StateName(h.saved.Key), "state", h.saved.Key)
	secret.Data = map[string][]byte{"state": data}
	written, err := s.write(ctx, secret, h)
	if err != nil {
		return fmt.Errorf("save state of %s: %w", h.saved.Key, err)
	}
	h.resourceVersion, h.bytes, h.sum, h.outbox = written.ResourceVersion, data, sha256.Sum256(text), h.saved.Outbox
	return nil
}

// write creates or updates the Secret. Where only its annotations moved since it was read (a person asked for a
// pass), it is written all the same; where the state moved, the conflict is the answer.
func (s *store) write(ctx context.Context, secret *corev1.Secret, h *held) (*corev1.Secret, error) {
	if h.resourceVersion == "" {
		return s.secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: apply.Manager})
	}
	secret.ResourceVersion = h.resourceVersion
	written, err := s.secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: apply.Manager})
	if apierrors.IsNotFound(err) { // somebody deleted it; what is remembered is all that is left
		secret.ResourceVersion = ""
		return s.secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: apply.Manager})
	}
	if !apierrors.IsConflict(err) {
		return written, err
	}
	live, getErr := s.secrets.Get(ctx, secret.Name, metav1.GetOptions{})
	if getErr != nil {
		return nil, getErr
	}
	if live.Labels[stateAgent] != s.agent {
		return nil, fmt.Errorf("%w: %q", errForeignState, live.Labels[stateAgent])
	}
	if !bytes.Equal(live.Data["state"], h.bytes) {
		return nil, err
	}
	secret.ResourceVersion = live.ResourceVersion
	return s.secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: apply.Manager})
}

// forget deletes a Secret of ours.
func (s *store) forget(ctx context.Context, name string) error {
	if err := s.secrets.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete Secret %s/%s: %w", s.namespace, name, err)
	}
	return nil
}

func (s *store) secret(name, kind string, k Key) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: s.namespace, Labels: map[string]string{
		stateAgent: s.agent, stateKind: kind, stateApplication: k.Application, stateEnvironment: k.Environment,
	}}}
}
