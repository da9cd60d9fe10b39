package apply

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// fieldsOfTheServer are fields of metadata that a manifest may hold, copied from a live object, and that are not ours
// to send.
func fieldsOfTheServer() []string {
	return []string{"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields",
		"resourceVersion", "selfLink", "uid"}
}

// cleaned returns a copy of a manifest without what only the API server writes. What lies deeper than metadata is
// shared with the original, and is never written to.
func cleaned(manifest map[string]any) map[string]any {
	made := maps.Clone(manifest)
	delete(made, "status")
	if meta, ok := made["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		for _, field := range fieldsOfTheServer() {
			delete(meta, field)
		}
		made["metadata"] = meta
	}
	return made
}

// outgoing returns a manifest as it is sent: cleaned, with our labels, and with stringData of a Secret as data, since
// the API server never gives stringData back.
func (c *Cluster) outgoing(owner Owner, obj *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	made := &unstructured.Unstructured{Object: cleaned(obj.Object)}
	labels := maps.Clone(made.GetLabels())
	if labels == nil {
		labels = map[string]string{}
	}
	labels[LabelApplication], labels[LabelEnvironment], labels[LabelAgent] = owner.Application, owner.Environment, c.agent
	made.SetLabels(labels)
	if IDOf(made).secret() {
		return made, encodeStringData(made.Object)
	}
	return made, nil
}

func encodeStringData(secret map[string]any) error {
	plain, ok := secret["stringData"]
	if !ok {
		return nil
	}
	delete(secret, "stringData")
	values, ok := plain.(map[string]any)
	if !ok && plain != nil {
		return fmt.Errorf("stringData: must be a map")
	}
	old, ok := secret["data"].(map[string]any)
	if !ok && secret["data"] != nil {
		return fmt.Errorf("data: must be a map")
	}
	data := maps.Clone(old)
	if data == nil {
		data = map[string]any{}
	}
	for key, value := range values {
		text, ok := value.(string)
		if !ok {
			return fmt.Errorf("stringData.%s: must be a string", key)
		}
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	secret["data"] = data
	return nil
}

// manifestHash is the hash of a manifest as it is sent, whatever becomes of its replicas.
func (c *Cluster) manifestHash(id ID, outgoing *unstructured.Unstructured) (string, error) {
	raw, err := json.Marshal(outgoing.Object)
	if err != nil {
		return "", fmt.Errorf("encode manifest: %w", err)
	}
	return digest(id, raw, c.key), nil
}

// replicasOf returns the number of replicas that an object states.
func replicasOf(obj *unstructured.Unstructured) (int64, bool) {
	spec, _ := obj.Object["spec"].(map[string]any)
	switch n := spec["replicas"].(type) {
	case int64:
		return n, true
	case float64:
		return int64(n), true
	case int:
		return int64(n), true
	}
	return 0, false
}

// withReplicas returns a copy of a manifest with another number of replicas; nil: with none.
func withReplicas(obj *unstructured.Unstructured, n *int64) *unstructured.Unstructured {
	made := &unstructured.Unstructured{Object: maps.Clone(obj.Object)}
	spec, _ := made.Object["spec"].(map[string]any)
	spec = maps.Clone(spec)
	delete(spec, "replicas")
	if n != nil {
		spec["replicas"] = *n
	}
	made.Object["spec"] = spec
	return made
}
