package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

// Pin returns a release file that pins another revision. The permissions in it, which named the release before, go; all else
// stays as it is written: comments, order and blank lines too. data may be empty. A file that has a form which is not edited is
// written anew, without its comments. The error is Faults.
func Pin(file string, data []byte, revision string) ([]byte, error) {
	want, err := ParseRelease(file, data)
	if err != nil {
		return nil, err
	}
	want.Revision = revision
	want.dropPermissions()
	if edited, ok := pinned(string(data), revision); ok {
		if after, err := ParseRelease(file, []byte(edited)); err == nil && reflect.DeepEqual(want, after) {
			return []byte(edited), nil
		}
	}
	return sigsyaml.Marshal(want)
}

// PinHotfix is Pin of a revision that may go without having been where releases come from.
func PinHotfix(file string, data []byte, revision string) ([]byte, error) {
	text, err := Pin(file, data, revision)
	if err != nil {
		return nil, err
	}
	want, err := ParseRelease(file, text)
	if err != nil {
		return nil, err
	}
	want.Hotfix = &Permit{Revision: revision}
	edited := []byte(withLine(string(text), "hotfix: {revision: "+revision+"}"))
	if after, err := ParseRelease(file, edited); err == nil && reflect.DeepEqual(want, after) {
		return edited, nil
	}
	return sigsyaml.Marshal(want)
}

// permissions are the keys that count for one release alone.
func permissions() []string { return []string{"approved", "hotfix", "prune"} }

// pinned writes the revision into the place of the one that is there, or as a first line, and takes the permissions out.
func pinned(text, revision string) (string, bool) {
	d := read("", []byte(text))
	if d.empty() {
		return strings.TrimRight(text, "\n") + strings.Repeat("\n", min(1, len(strings.TrimSpace(text)))) + "revision: " + revision + "\n", true
	}
	if d.root.Kind != yaml.MappingNode || d.root.Style&yaml.FlowStyle != 0 {
		return "", false
	}
	lines := strings.Split(text, "\n")
	present := child(d.root, "revision")
	if present != nil && !(edit{present, revision}).write(lines) {
		return "", false
	}
	gone := map[int]bool{}
	for i := 0; i+1 < len(d.root.Content); i += 2 {
		key := d.root.Content[i]
		if !slices.Contains(permissions(), key.Value) {
			continue
		}
		for line := key.Line; line <= lastLine(d.root.Content[i+1]); line++ {
			gone[line] = true
		}
	}
	var kept []string
	if present == nil {
		kept = append(kept, "revision: "+revision)
	}
	for i, line := range lines {
		if !gone[i+1] {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n"), true
}

// lastLine is the last line of a value.
func lastLine(n *yaml.Node) int {
	last := n.Line
	for _, c := range n.Content {
		last = max(last, lastLine(c))
	}
	return last + strings.Count(strings.TrimRight(n.Value, "\n"), "\n")
}
