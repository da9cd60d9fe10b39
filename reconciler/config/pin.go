package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pin returns a release file with another pin, and leaves all else in it as it is written. data may be empty. The error says
// which line is to be written by hand where the file has a form that is not edited, or is Faults.
func Pin(file string, data []byte, revision string) ([]byte, error) {
	before, err := ParseRelease(file, data)
	if err != nil {
		return nil, err
	}
	line := "revision: " + revision
	edited, ok := withPin(string(data), line, revision)
	if ok {
		before.Revision = revision
		after, err := ParseRelease(file, []byte(edited))
		ok = err == nil && reflect.DeepEqual(before, after)
	}
	if !ok {
		return nil, fmt.Errorf("%s has a form that is not edited: write %q into it by hand", file, line)
	}
	return []byte(edited), nil
}

func withPin(text, line, revision string) (string, bool) {
	d := read("", []byte(text))
	if !d.empty() && d.root.Kind != yaml.MappingNode {
		return "", false
	}
	present := child(d.root, "revision")
	if present == nil {
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		return text + line + "\n", true
	}
	lines := strings.Split(text, "\n")
	ok := edit{present, revision}.write(lines)
	return strings.Join(lines, "\n"), ok
}
