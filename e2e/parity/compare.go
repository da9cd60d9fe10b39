package parity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

// Generated is what sluice prints in the place of a value that differs at each render.
const Generated = "<generated>"

// objects are decoded manifests by what they are called.
type objects map[string]map[string]any

// decode reads manifests, YAML or JSON. With an error of the documents comes what could be read.
func decode(text []byte) (objects, error) {
	all := objects{}
	reader := utilyaml.NewYAMLReader(newReader(text))
	var failed error
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, failed
		}
		if err != nil {
			return nil, err
		}
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%w\n%s", err, document))
			continue
		}
		failed = errors.Join(failed, all.add(object))
	}
}

// add takes an object in; a List is what it has.
func (all objects) add(object map[string]any) error {
	if len(object) == 0 {
		return nil
	}
	items, isList := object["items"].([]any)
	if kind, _ := object["kind"].(string); isList && strings.HasSuffix(kind, "List") {
		for _, item := range items {
			one, _ := item.(map[string]any)
			if err := all.add(one); err != nil {
				return err
			}
		}
		return nil
	}
	object, _ = plain(object).(map[string]any)
	meta, _ := object["metadata"].(map[string]any)
	apiVersion, _ := object["apiVersion"].(string)
	kind, _ := object["kind"].(string)
	if meta["namespace"] == Namespace || ofCluster(apiVersion, kind) { // sluice gives it to whom it is left out of, and to none that has no use for it
		delete(meta, "namespace")
	}
	name := fmt.Sprint(object["apiVersion"], " ", object["kind"], " ", meta["namespace"], "/", meta["name"])
	annotations, _ := meta["annotations"].(map[string]any)
	if events, isHook := annotations["helm.sh/hook"]; isHook { // several may have one name
		name += fmt.Sprint(" at ", events)
	}
	if _, twice := all[name]; twice {
		return fmt.Errorf("%s is there twice", name)
	}
	all[name] = object
	return nil
}

// younger are kinds without a namespace that kustomize's schema, that of Kubernetes 1.21, does not know: it gives them one.
var younger = map[string]bool{
	"FlowSchema": true, "PriorityLevelConfiguration": true, "ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	"MutatingAdmissionPolicy": true, "MutatingAdmissionPolicyBinding": true, "ClusterTrustBundle": true, "DeviceClass": true, "ResourceSlice": true,
	"ServiceCIDR": true, "IPAddress": true, "StorageVersionMigration": true, "VolumeAttributesClass": true,
}

func ofCluster(apiVersion, kind string) bool {
	scoped, known := openapi.IsNamespaceScoped(kyaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
	return known && !scoped || younger[kind] && strings.Contains(apiVersion, ".k8s.io/")
}

// unfit says why Kubernetes would not take what a program gave; failed is the error of reading it. Nothing: it may.
func (all objects) unfit(failed error) string {
	switch {
	case failed != nil:
		return failed.Error()
	case len(all) == 0:
		return "there are no objects"
	}
	hooks := 0
	for name, object := range all {
		for _, field := range []string{"apiVersion", "kind"} {
			if text, _ := object[field].(string); text == "" {
				return fmt.Sprintf("%s has no %s", name, field)
			}
		}
		meta, _ := object["metadata"].(map[string]any)
		if annotations, _ := meta["annotations"].(map[string]any); annotations["helm.sh/hook"] != nil {
			hooks++
		}
		if text, _ := meta["name"].(string); text == "" {
			return name + " has no name"
		}
		for _, field := range []string{"labels", "annotations"} {
			texts, isMap := meta[field].(map[string]any)
			if meta[field] != nil && !isMap {
				return fmt.Sprintf("%s of %s are no mapping", field, name)
			}
			for key, value := range texts {
				if _, isText := value.(string); !isText {
					return fmt.Sprintf("%s of %s: %s is no text", field, name, key)
				}
			}
		}
	}
	if hooks == len(all) {
		return "there are only hooks"
	}
	return ""
}

// pair gives what another render of the program names otherwise, and sluice too, one name. It reports whether there was any.
func pair(theirs, again, ours objects) bool {
	var a, b []string
	for _, name := range slices.Sorted(maps.Keys(theirs)) {
		if _, stays := again[name]; !stays {
			a = append(a, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if _, same := theirs[name]; !same {
			b = append(b, name)
		}
	}
	if len(a) == 0 || len(a) != len(b) {
		return false
	}
	for i := range a {
		rename(theirs, a[i], i)
		rename(ours, b[i], i)
	}
	return true
}

func rename(all objects, name string, to int) {
	object := all[name]
	delete(all, name)
	if meta, _ := object["metadata"].(map[string]any); meta != nil {
		meta["name"] = Generated
	}
	all[fmt.Sprint(object["apiVersion"], " ", object["kind"], " ", to)] = object
}

// plain leaves out what says nothing to Kubernetes: fields that are null, and labels and annotations that are none. A label that is null is
// an empty one.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		made := map[string]any{}
		for key, inner := range v {
			texts, isMap := inner.(map[string]any)
			named := isMap && (key == "labels" || key == "annotations")
			switch {
			case inner == nil, named && len(texts) == 0:
			case named:
				made[key] = empty(texts)
			default:
				made[key] = plain(inner)
			}
		}
		return made
	case []any:
		made := make([]any, len(v))
		for i := range v {
			made[i] = plain(v[i])
		}
		return made
	}
	return value
}

func empty(texts map[string]any) map[string]any {
	made := map[string]any{}
	for key, text := range texts {
		if made[key] = plain(text); text == nil {
			made[key] = ""
		}
	}
	return made
}

// compare says how what sluice gave differs from what the program did; nothing: it does not.
func compare(want, got objects) (differences []string) {
	for name := range want {
		if _, ok := got[name]; !ok {
			differences = append(differences, "sluice lacks "+name)
		}
	}
	for name, object := range got {
		other, ok := want[name]
		if !ok {
			differences = append(differences, "only sluice has "+name)
			continue
		}
		for _, field := range differ(other, object, "") {
			differences = append(differences, name+field)
		}
	}
	slices.Sort(differences)
	return differences
}

func differ(want, got any, at string) []string {
	if text, ok := got.(string); ok && masks(text, want) {
		return nil
	}
	a, aMap := want.(map[string]any)
	b, bMap := got.(map[string]any)
	if aMap && bMap {
		var all []string
		for key := range union(a, b) {
			all = append(all, differ(a[key], b[key], at+"."+key)...)
		}
		return all
	}
	x, xList := want.([]any)
	y, yList := got.([]any)
	if xList && yList && len(x) == len(y) {
		var all []string
		for i := range x {
			all = append(all, differ(x[i], y[i], fmt.Sprintf("%s[%d]", at, i))...)
		}
		return all
	}
	if reflect.DeepEqual(want, got) {
		return nil
	}
	return []string{fmt.Sprintf("%s: the program has %s, sluice %s", at, short(want), short(got))}
}

// masks reports whether a text is as another value, but for what is generated in it; one in base64 is looked into.
func masks(text string, value any) bool {
	if text == Generated {
		return true
	}
	other, ok := value.(string)
	if raw, err := base64.StdEncoding.DecodeString(text); err == nil && ok && strings.Contains(string(raw), Generated) {
		theirs, err := base64.StdEncoding.DecodeString(other)
		return err == nil && masks(string(raw), string(theirs))
	}
	if !ok || !strings.Contains(text, Generated) {
		return false
	}
	parts := strings.Split(text, Generated)
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".+") + "$").MatchString(other)
}

func union(a, b map[string]any) map[string]bool {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return keys
}

func short(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	if len(text) > 200 {
		return string(bytes.ToValidUTF8(text[:200], nil)) + "..."
	}
	return string(text)
}
