package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Pause returns a release file that stops every change in its environment, or lets them go on, and leaves all else in it as it
// is written. data may be empty. The error says which line is to be written by hand where the file has a form that is not
// edited, or is Faults.
func Pause(file string, data []byte, paused bool) ([]byte, error) {
	want, err := ParseRelease(file, data)
	if err != nil {
		return nil, err
	}
	if want.Paused == paused {
		return data, nil
	}
	want.Paused = paused
	line := fmt.Sprintf("paused: %t", paused)
	edited, ok := withPause(string(data), line, paused)
	if ok {
		after, err := ParseRelease(file, []byte(edited))
		ok = err == nil && reflect.DeepEqual(want, after)
	}
	if !ok {
		return nil, fmt.Errorf("%s has a form that is not edited: write %q into it by hand", file, line)
	}
	return []byte(edited), nil
}

// withPause writes the word into the place of the one that is there, or else a line at the end.
func withPause(text, line string, paused bool) (string, bool) {
	d := read("", []byte(text))
	if !d.empty() && d.root.Kind != yaml.MappingNode {
		return "", false
	}
	if present := child(d.root, "paused"); present != nil {
		lines := strings.Split(text, "\n")
		ok := edit{present, fmt.Sprint(paused)}.write(lines)
		return strings.Join(lines, "\n"), ok
	}
	return withLine(text, line), true
}

// withLine adds a line at the end.
func withLine(text, line string) string {
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text + line + "\n"
}
