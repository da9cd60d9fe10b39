package policies

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// reference is a place in a pod's spec that names a ConfigMap or Secret. In its path a list is followed by [].
type reference struct{ kind, path string }

// references are all places that there are, but for one: the secret for a CSI driver, which may know it by its name
// (volumes[].csi.nodePublishSecretRef).
func references() []reference {
	all := []reference{
		{"ConfigMap", "volumes[].configMap.name"},
		{"ConfigMap", "volumes[].projected.sources[].configMap.name"},
		{"Secret", "volumes[].secret.secretName"},
		{"Secret", "volumes[].projected.sources[].secret.name"},
		{"Secret", "volumes[].azureFile.secretName"},
		{"Secret", "imagePullSecrets[].name"},
	}
	for _, driver := range []string{"cephfs", "cinder", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"} {
		all = append(all, reference{"Secret", "volumes[]." + driver + ".secretRef.name"})
	}
	for _, containers := range []string{"initContainers[].", "containers[].", "ephemeralContainers[]."} {
		all = append(all,
			reference{"ConfigMap", containers + "env[].valueFrom.configMapKeyRef.name"},
			reference{"ConfigMap", containers + "envFrom[].configMapRef.name"},
			reference{"Secret", containers + "env[].valueFrom.secretKeyRef.name"},
			reference{"Secret", containers + "envFrom[].secretRef.name"})
	}
	return all
}

// pointedTo returns a workload whose template names what other says for a kind and name. The empty name stands for the
// same as before; a workload of which nothing changes is returned itself.
func pointedTo(workload *unstructured.Unstructured, other func(kind, name string) string) *unstructured.Unstructured {
	made := runtime.DeepCopyJSON(workload.Object)
	changed := false
	for _, r := range references() {
		replace(made, "spec.template.spec."+r.path, func(name string) string {
			to := other(r.kind, name)
			if to == "" {
				return name
			}
			changed = true
			return to
		})
	}
	if !changed {
		return workload
	}
	return &unstructured.Unstructured{Object: made}
}

// referred calls see for each ConfigMap and Secret that a pod's spec names, which lies at a path of an object.
func referred(in map[string]any, path string, see func(kind, name string)) {
	for _, r := range references() {
		replace(in, path+"."+r.path, func(name string) string {
			see(r.kind, name)
			return name
		})
	}
}

// replace puts another string at each place of a path that holds one; the same one is not written. What has another form is
// the API server's to refuse.
func replace(in any, path string, other func(string) string) {
	fields, ok := in.(map[string]any)
	if !ok {
		return
	}
	step, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		name, ok := fields[step].(string)
		if !ok {
			return
		}
		if to := other(name); to != name {
			fields[step] = to
		}
		return
	}
	key, each := strings.CutSuffix(step, "[]")
	if !each {
		replace(fields[key], rest, other)
		return
	}
	items, _ := fields[key].([]any)
	for _, item := range items {
		replace(item, rest, other)
	}
}
