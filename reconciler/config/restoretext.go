package config

import (
	"bytes"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// block is an environment in the text of a file.
type block struct{ text, name string }

func (b block) node() *yaml.Node {
	d := read("", []byte(b.text))
	return d.blockNamed(child(d.root, "environments"), b.name)
}

// restored writes keys of a block as they are in an older one.
func restored(now, then block, keys []string) (string, bool) {
	from := then.node()
	if from == nil {
		return "", false
	}
	for _, key := range keys {
		n := now.node() // anew, since lines have moved
		if n == nil {
			return "", false
		}
		old, was := keyOf(n, key)
		older, value := keyOf(from, key)
		var ok bool
		switch {
		case n.Style&yaml.FlowStyle != 0:
			now.text, ok = inFlow(now.text, was, value)
		case value == nil:
			now.text, ok = written(now.text, old, was, nil)
		default:
			lines := raw(then.text, from, older, value)
			if old == nil {
				now.text, ok = added(now.text, n, lines)
			} else {
				now.text, ok = written(now.text, old, was, lines)
			}
		}
		if !ok {
			return "", false
		}
	}
	return now.text, true
}

// keyOf is a key of a mapping with its value, nil where it is not there itself.
func keyOf(mapping *yaml.Node, key string) (k, value *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// raw are the lines of a key as they were written, without the indentation of their block; of a block in braces they are
// made anew.
func raw(text string, in, key, value *yaml.Node) []string {
	lines := strings.Split(text, "\n")
	if in.Style&yaml.FlowStyle != 0 {
		return strings.Split(strings.TrimRight(encoded(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{{Kind: yaml.ScalarNode, Value: key.Value}, value}}), "\n"), "\n")
	}
	indent := key.Column - 1
	of := []string{lines[key.Line-1][indent:]}
	for _, line := range lines[key.Line:endOf(lines, key, value)] {
		of = append(of, line[min(indent, len(line)-len(strings.TrimLeft(line, " "))):])
	}
	return of
}

// endOf is the last line of a key's value: what lies deeper than the key, without what is blank or a comment at the end.
func endOf(lines []string, key, value *yaml.Node) int {
	end := key.Line
	for end < len(lines) {
		rest := strings.TrimLeft(lines[end], " ")
		if rest != "" && len(lines[end])-len(rest) < key.Column {
			break
		}
		end++
	}
	for end > max(key.Line, lastLine(value)) {
		if rest := strings.TrimSpace(lines[end-1]); rest != "" && rest[0] != '#' {
			break
		}
		end--
	}
	return end
}

// written puts other lines into the place of a key and its value.
func written(text string, key, value *yaml.Node, with []string) (string, bool) {
	if key == nil {
		return text, true
	}
	lines := strings.Split(text, "\n")
	before, end := lines[key.Line-1][:key.Column-1], endOf(lines, key, value)
	if with == nil {
		if strings.TrimSpace(before) != "" { // the first of its block, with the dash
			return "", false
		}
		return strings.Join(slices.Delete(lines, key.Line-1, end), "\n"), true
	}
	return strings.Join(slices.Replace(lines, key.Line-1, end, indented(before, with)...), "\n"), true
}

// added puts lines after the name of a block.
func added(text string, in *yaml.Node, with []string) (string, bool) {
	key, value := keyOf(in, "name")
	if key == nil {
		return "", false
	}
	lines := strings.Split(text, "\n")
	return strings.Join(slices.Insert(lines, endOf(lines, key, value), indented(strings.Repeat(" ", key.Column-1), with)...), "\n"), true
}

func indented(first string, lines []string) []string {
	out := []string{first + lines[0]}
	for _, line := range lines[1:] {
		if line != "" {
			line = strings.Repeat(" ", len(first)) + line
		}
		out = append(out, line)
	}
	return out
}

// inFlow puts another value into the place of one in braces; false where there was none, or is to be none.
func inFlow(text string, was, value *yaml.Node) (string, bool) {
	if was == nil || value == nil || was.Kind != value.Kind {
		return "", false
	}
	lines := strings.Split(text, "\n")
	line, at := lines[was.Line-1], was.Column-1
	end := closing(line, at)
	switch {
	case was.Kind == yaml.ScalarNode:
		ok := edit{was, value.Value}.write(lines)
		return strings.Join(lines, "\n"), ok
	case was.Kind != yaml.MappingNode || end < 0:
		return "", false
	}
	lines[was.Line-1] = line[:at] + strings.TrimSpace(encoded(flow(value))) + line[end:]
	return strings.Join(lines, "\n"), true
}

// closing is the place after the brace that closes the one at a place of a line; below 0: it is on another line.
func closing(line string, at int) int {
	depth, quote := 0, byte(0)
	for i := at; i < len(line); i++ {
		switch c := line[i]; {
		case quote != 0:
			if c == '\\' && quote == '"' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// flow is a value in braces, without comments.
func flow(n *yaml.Node) *yaml.Node {
	of := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Style: n.Style | yaml.FlowStyle}
	if n.Kind == yaml.ScalarNode {
		of.Style = n.Style &^ (yaml.LiteralStyle | yaml.FoldedStyle)
	}
	for _, c := range n.Content {
		of.Content = append(of.Content, flow(c))
	}
	return of
}

// encoded is a node as text; empty where it cannot be one.
func encoded(n *yaml.Node) string {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if e.Encode(n) != nil || e.Close() != nil {
		return ""
	}
	return b.String()
}
