package parity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Generated is what sluice prints in the place of a value that differs at each render.
const Generated = "<generated>"

// objects are decoded manifests by what they are called.
type objects map[string]map[string]any

// decode reads manifests, YAML or JSON.
func decode(text []byte) (objects, error) {
	all := objects{}
	reader := utilyaml.NewYAMLReader(newReader(text))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		var object map[string]any
		if err := yaml.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("%w\n%s", err, document)
		}
		if err := all.add(object); err != nil {
			return nil, err
		}
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
	if meta["namespace"] == Namespace { // sluice gives it to whom it is left out of
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

// plain leaves out what says nothing to Kubernetes: fields that are null, and labels and annotations that are none.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		made := map[string]any{}
		for key, inner := range v {
			inner = plain(inner)
			if empty, isMap := inner.(map[string]any); inner == nil || isMap && len(empty) == 0 && (key == "labels" || key == "annotations") {
				continue
			}
			made[key] = inner
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
