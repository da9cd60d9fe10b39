package config

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Approve returns a release file that lets a stage begin, and leaves all else in it as it is written: comments, order and
// blank lines too. data may be empty. The error says which line is to be written by hand where the file has a form that
// is not edited, or is Faults.
func Approve(file string, data []byte, approved Approval) ([]byte, error) {
	before, err := ParseRelease(file, data)
	if err != nil {
		return nil, err
	}
	line := fmt.Sprintf("approved: {revision: %s, stage: %d}", approved.Revision, approved.Stage)
	edited, ok := withApproval(string(data), line, approved)
	if ok {
		before.Approved = &approved
		after, err := ParseRelease(file, []byte(edited))
		ok = err == nil && reflect.DeepEqual(before, after)
	}
	if !ok {
		return nil, fmt.Errorf("%s has a form that is not edited: write %q into it by hand", file, line)
	}
	return []byte(edited), nil
}

// withApproval writes the values of an approval into the places of those that are there, or else a line at the end.
func withApproval(text, line string, approved Approval) (string, bool) {
	d := read("", []byte(text))
	if !d.empty() && d.root.Kind != yaml.MappingNode {
		return "", false
	}
	present := child(d.root, "approved")
	if present == nil {
		return withLine(text, line), true
	}
	revision, stage := child(present, "revision"), child(present, "stage")
	if revision == nil || stage == nil {
		return "", false
	}
	lines := strings.Split(text, "\n")
	first, second := edit{revision, approved.Revision}, edit{stage, fmt.Sprint(approved.Stage)}
	if first.before(second) { // what comes later in a line is written first, so that places stay what they are
		first, second = second, first
	}
	if !first.write(lines) || !second.write(lines) {
		return "", false
	}
	return strings.Join(lines, "\n"), true
}

// child is the value of a key of a mapping; nil where there is none.
func child(mapping *yaml.Node, key string) *yaml.Node {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// edit is a value that takes the place of a scalar.
type edit struct {
	node  *yaml.Node
	value string
}

func (e edit) before(other edit) bool {
	return e.node.Line < other.node.Line || e.node.Line == other.node.Line && e.node.Column < other.node.Column
}

// write puts the value into the scalar's place; false where the scalar is not written as it reads.
func (e edit) write(lines []string) bool {
	line, at := lines[e.node.Line-1], e.node.Column-1
	if at > len(line) {
		return false
	}
	rest := line[at:]
	if e.node.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		rest, at = rest[1:], at+1
	}
	if !strings.HasPrefix(rest, e.node.Value) {
		return false
	}
	lines[e.node.Line-1] = line[:at] + e.value + rest[len(e.node.Value):]
	return true
}
