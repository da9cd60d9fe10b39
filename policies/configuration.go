package policies

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

const (
	// LabelVersionOf is on each version of a ConfigMap or Secret and holds the plain name. Where the name is no label
	// value, because it is too long, an annotation of the same key holds it.
	LabelVersionOf = "sluice.dev/version-of"
	// AnnotationVersion set to "false" on a ConfigMap or Secret: pods read it under its plain name.
	AnnotationVersion = "sluice.dev/version"
)

// Changing any of these renames all versions, and so restarts the pods of all that read them.
const (
	versionDigits  = 10
	maxVersionName = 253
)

// Versioned returns the objects of a release with the configuration that workloads read under names of its content. So
// proven pods keep what they were started with, and going back to a release goes back to the same pod template.
//
// Each ConfigMap or Secret that the pod template of a Deployment, StatefulSet or DaemonSet reads, both being among the
// objects and in the same namespace as written, gets an immutable copy right after it, the version, and the template
// points to that. The plain object stays for other readers. The name of a version depends on nothing but the kind,
// name and contents of the plain object.
//
// Left under its plain name is what is immutable already, what [AnnotationVersion] excludes, and what somebody else
// fills: a token of a service account, or an object without any data. A workload of which keep says so reads plain names,
// also where it was given with those of versions; nil keeps none. Jobs keep their template, since it cannot be changed.
//
// The objects given are not written to; those that do not change are shared with the result. What Versioned returned
// it returns again, and with another keep what it would have returned in the first place.
func Versioned(
	objects []*unstructured.Unstructured, keep func(workload *unstructured.Unstructured) bool,
) []*unstructured.Unstructured {
	v := versions{
		plain: make(map[configuration]*unstructured.Unstructured), made: make(map[configuration]version), left: make(map[configuration]bool),
	}
	for _, o := range objects {
		if id, ok := configurationOf(o); ok && v.plain[id] == nil {
			v.plain[id] = o
		}
	}
	pointed := slices.Clone(objects)
	for i, o := range objects {
		switch {
		case !isVersionReader(o):
		case keep != nil && keep(o):
			pointed[i] = v.back(o)
		default:
			pointed[i] = pointedTo(o, func(kind, name string) string {
				return v.of(configuration{kind, o.GetNamespace(), name}).name
			})
		}
	}
	v.stillRead(pointed)
	all := make([]*unstructured.Unstructured, 0, len(objects)+len(v.made))
	for _, o := range pointed {
		id, _ := configurationOf(o)
		if v.left[id] {
			continue
		}
		all = append(all, o)
		if added := v.made[id].added; added != nil {
			all = append(all, added)
			delete(v.made, id)
		}
	}
	return all
}

// configuration identifies a ConfigMap or Secret among the objects of a release.
type configuration struct{ kind, namespace, name string }

func configurationOf(o *unstructured.Unstructured) (configuration, bool) {
	kind := o.GetKind()
	if o.GetAPIVersion() != "v1" || kind != "ConfigMap" && kind != "Secret" || o.GetName() == "" {
		return configuration{}, false
	}
	return configuration{kind, o.GetNamespace(), o.GetName()}, true
}

// isVersionReader reports whether an object keeps pods running from a template that may change.
func isVersionReader(o *unstructured.Unstructured) bool {
	kind := o.GroupVersionKind()
	return kind.Group == "apps" && slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet"}, kind.Kind)
}

// version is what a template reads instead of a plain object. The zero value: nothing else.
type version struct {
	name  string
	added *unstructured.Unstructured // nil where the objects have it already
}

// versions are made when the first workload asks for them.
type versions struct {
	plain map[configuration]*unstructured.Unstructured
	made  map[configuration]version
	left  map[configuration]bool // those that a workload reads no more, see back
}

func (v *versions) of(id configuration) version {
	made, ok := v.made[id]
	if plain := v.plain[id]; !ok && plain != nil {
		made = v.make(id, plain)
		v.made[id] = made
	}
	return made
}

func (v *versions) make(id configuration, plain *unstructured.Unstructured) version {
	content := contentOf(plain)
	if isImmutable(plain) || !isOurs(plain, content) {
		return version{}
	}
	digits := contentDigits(id, content)
	name := versionName(id.name, digits)
	there := v.plain[configuration{id.kind, id.namespace, name}]
	switch {
	case digits == "":
		return version{}
	case there == nil:
		return version{name, versionOf(id, name, plain, content)}
	case isImmutable(there) && contentDigits(id, contentOf(there)) == digits:
		return version{name, nil}
	}
	return version{} // the name is somebody else's
}

func isImmutable(o *unstructured.Unstructured) bool { return o.Object["immutable"] == true }

// isOurs reports whether Git says what an object contains, and nobody asks that pods read it under its plain name. A
// copy of what others fill would never be filled: the CA bundle that a controller puts into an empty ConfigMap, say.
func isOurs(o *unstructured.Unstructured, content map[string]any) bool {
	if o.GetAnnotations()[AnnotationVersion] == "false" || content["type"] == "kubernetes.io/service-account-token" {
		return false
	}
	return slices.ContainsFunc([]string{"data", "binaryData", "stringData"}, func(field string) bool {
		return content[field] != nil
	})
}

// contentOf returns the fields that pods see, shared with the object. A field that is empty is left out: it is the same
// to the API server.
func contentOf(o *unstructured.Unstructured) map[string]any {
	content := make(map[string]any)
	for _, field := range []string{"data", "binaryData", "stringData", "type"} {
		value := o.Object[field]
		if values, ok := value.(map[string]any); value != nil && value != "" && (!ok || len(values) > 0) {
			content[field] = value
		}
	}
	return content
}

// contentDigits is the part of a version's name that changes. It is empty for what is no JSON, and so cannot be sent.
func contentDigits(id configuration, content map[string]any) string {
	hashed := map[string]any{"kind": id.kind, "name": id.name}
	for field, value := range content {
		hashed[field] = value
	}
	raw, err := json.Marshal(hashed) // sorts the keys
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])[:versionDigits]
}

// versionName cuts the plain name where both would be too long for a name. The digits are of the whole name, so names
// that differ after the cut stay different.
func versionName(plain, digits string) string {
	if most := maxVersionName - versionDigits - 1; len(plain) > most {
		plain = strings.TrimRight(plain[:most], "-.") // a part of a name ends with a letter or digit
	}
	return plain + "-" + digits
}

// versionOf has all of the content and of the metadata only what is meant for people and selectors.
func versionOf(
	id configuration, name string, plain *unstructured.Unstructured, content map[string]any,
) *unstructured.Unstructured {
	metadata := map[string]any{"name": name}
	from, _ := plain.Object["metadata"].(map[string]any)
	for _, field := range []string{"labels", "annotations"} {
		if values, ok := from[field].(map[string]any); ok {
			metadata[field] = runtime.DeepCopyJSON(values)
		}
	}
	place := "labels"
	if len(validation.IsValidLabelValue(id.name)) > 0 {
		place = "annotations"
	}
	values, ok := metadata[place].(map[string]any)
	if !ok {
		values = make(map[string]any)
		metadata[place] = values
	}
	values[LabelVersionOf] = id.name

	made := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(content)}
	made.Object["metadata"], made.Object["immutable"] = metadata, true
	made.SetAPIVersion("v1")
	made.SetKind(id.kind)
	made.SetNamespace(id.namespace)
	if block, encrypted := plain.Object["sops"]; encrypted {
		// How the values are opened. It is no content: another recipient of the key makes no other version.
		made.Object["sops"] = runtime.DeepCopyJSONValue(block)
	}
	return made
}
