package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Restore returns a sluice.yaml by which an environment is rendered as by an older one: its source, and the other keys that
// shape objects. All else stays as it is written: comments, order and blank lines too, and whoever else is in the file. The
// error says what is to be written by hand where the file has a form that is not edited, or is Faults.
func Restore(file string, now, then []byte, environment string, was ...string) ([]byte, error) {
	want, faults := ParseApplication(file, now)
	if err := faults.For(environment).Err(); want == nil || err != nil {
		return nil, faults.Err()
	}
	older, faults := ParseApplication(file, then)
	if older == nil {
		return nil, faults.Err()
	}
	names := append([]string{environment}, was...)
	env, present := want.Environment(environment)
	i := slices.IndexFunc(names, func(name string) bool { _, ok := older.Environment(name); return ok })
	if i < 0 || !present {
		return nil, fmt.Errorf("%s: %w %q", file, ErrNoEnvironment, environment)
	}
	before, _ := older.Environment(names[i])
	var keys []string
	for _, s := range env.shapes(before) {
		if !reflect.DeepEqual(s.now, s.then) {
			keys = append(keys, s.key)
		}
	}
	if len(keys) == 0 {
		return now, nil
	}
	env.Namespace, env.Source, env.Labels, env.Annotations = before.Namespace, before.Source, before.Labels, before.Annotations
	if edited, ok := restored(block{string(now), environment}, block{string(then), names[i]}, keys); ok {
		if after, _ := ParseApplication(file, []byte(edited)); reflect.DeepEqual(want, after) {
			return []byte(edited), nil
		}
	}
	return nil, fmt.Errorf("%s: environments[%s] has a form that is not edited: %s is to be restored by hand", file, environment, strings.Join(keys, ", "))
}

// shape is a key that shapes objects, as it is and as it was.
type shape struct {
	key       string
	now, then any
}

func (e *Environment) shapes(then *Environment) []shape {
	return []shape{
		{"namespace", e.Namespace, then.Namespace}, {"source", e.Source, then.Source},
		{"labels", e.Labels, then.Labels}, {"annotations", e.Annotations, then.Annotations},
	}
}
