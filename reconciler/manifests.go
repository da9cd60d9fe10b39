package reconciler

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/reconciler/apply"
)

// chunk is how much of the compressed manifests goes into one Secret, which holds 1 MiB at most.
const chunk = 900 << 10

// manifestsName names a part of the manifests of a release: a second try finds what the first one wrote.
func manifestsName(k Key, digest string, part int) string {
	return fmt.Sprintf("%s.%.12s.%d", StateName(k), digest, part)
}

// saveManifests writes the objects of a release once, in as many Secrets as they need, and returns their names. Generated:
// its digest does not say all of what is in them, so those that are there already may have other values.
func (s *store) saveManifests(ctx context.Context, k Key, digest string, objects []*unstructured.Unstructured, generated bool) ([]string, error) {
	data, err := s.packer.encode(objects)
	if err != nil {
		return nil, err
	}
	var names []string
	for part := range slices.Chunk(data, chunk) {
		name := manifestsName(k, digest, len(names))
		secret := s.secret(name, "manifests", k)
		secret.Data = map[string][]byte{"manifests": part}
		immutable := true
		secret.Immutable = &immutable
		_, err := s.secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: apply.Manager})
		if apierrors.IsAlreadyExists(err) && generated {
			err = s.renew(ctx, secret)
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("save manifests of %s: %w", k, err)
		}
		names = append(names, name)
	}
	return names, nil
}

// renew writes a Secret that nobody can change anew, where it is another.
func (s *store) renew(ctx context.Context, secret *corev1.Secret) error {
	there, err := s.secrets.Get(ctx, secret.Name, metav1.GetOptions{})
	if err == nil && bytes.Equal(there.Data["manifests"], secret.Data["manifests"]) {
		return nil
	}
	if err == nil {
		err = s.forget(ctx, secret.Name)
	}
	if err == nil {
		_, err = s.secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: apply.Manager})
	}
	return err
}

// manifests reads what saveManifests wrote.
func (s *store) manifests(ctx context.Context, names []string) ([]*unstructured.Unstructured, error) {
	var data []byte
	for _, name := range names {
		secret, err := s.secrets.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("read manifests in Secret %s/%s: %w", s.namespace, name, err)
		}
		data = append(data, secret.Data["manifests"]...)
	}
	var objects []*unstructured.Unstructured
	if err := decode(data, &objects); err != nil {
		return nil, fmt.Errorf("read manifests in Secrets %s/%v: %w", s.namespace, names, err)
	}
	return objects, nil
}

// orphans are Secrets with manifests that none of these states names: a process that died left them.
func orphans(manifests []metav1.PartialObjectMetadata, states map[Key]held) []string {
	named := map[string]bool{}
	for _, h := range states {
		for _, name := range append(slices.Clone(h.saved.Active), h.saved.Proven...) {
			named[name] = true
		}
	}
	var orphans []string
	for _, secret := range manifests {
		if _, ok := states[Key{secret.Labels[stateApplication], secret.Labels[stateEnvironment]}]; ok && !named[secret.Name] {
			orphans = append(orphans, secret.Name)
		}
	}
	return orphans
}
