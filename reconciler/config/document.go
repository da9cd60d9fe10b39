package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file. They are far above what people write and far below what hurts.
const (
	maxFile   = 1 << 20 // bytes; ten thousand environments are 1 MiB
	maxValues = 200_000 // values visited, those behind aliases each time that they are used
	maxDepth  = 100     // of mappings and lists in each other
	maxFaults = 200     // reported; more are the sign of a file of another kind
)

// document is a file while it is read: where each value stands, and what is wrong so far.
type document struct {
	file    string
	root    *yaml.Node
	lines   map[string]int      // path of a value -> line of its key
	items   map[string][]string // path of a list -> paths of its items
	broken  []string            // paths whose value could not be read: their validation would only repeat it
	faults  Faults
	scope   scope // that faults get now
	visits  int
	lookups int
	full    bool // no more faults are taken
}

// read parses the bytes of a file. A fault of the syntax leaves root nil.
func read(file string, data []byte) *document {
	d := &document{file: file, lines: map[string]int{"": 1}, items: map[string][]string{}}
	switch {
	case len(data) > maxFile:
		d.fault(0, "", "is larger than 1 MiB (%d bytes)", len(data))
		return d
	case bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/")):
		d.fault(1, "", "is a Git LFS pointer, not the file itself")
		return d
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := decoder.Decode(&first); err != nil && !errors.Is(err, io.EOF) {
		d.syntax(err)
		return d
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		d.fault(second.Line, "", "must be a single document: a second one begins here")
		return d
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return d
	}
	if len(first.Content) == 1 {
		d.root = first.Content[0]
	}
	return d
}

// empty reports whether the file has no content, comments aside.
func (d *document) empty() bool { return d.root == nil || isNull(d.root) }

var syntaxLine = regexp.MustCompile(`^line (\d+): `)

// syntax turns the parser's error into a fault.
func (d *document) syntax(err error) {
	message, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if at := syntaxLine.FindStringSubmatch(message); at != nil {
		message = message[len(at[0]):]
		if n, err := strconv.Atoi(at[1]); err == nil {
			line = n
		}
	}
	d.fault(line, "", "is not YAML: %s", message)
}

// decode reads the whole document into a struct. A file that is empty or does not parse leaves it as it is.
func (d *document) decode(into any) {
	if !d.empty() {
		d.value(d.root, place{}, reflect.ValueOf(into).Elem())
	}
}

// fault notes what is wrong at a path.
func (d *document) fault(line int, path, format string, args ...any) {
	if d.full {
		return
	}
	f := Fault{File: d.file, Line: line, Path: path, Message: fmt.Sprintf(format, args...), scope: d.scope}
	if len(d.faults) == maxFaults {
		// Those that are left out may concern anybody.
		f = Fault{File: d.file, Message: fmt.Sprintf("has more than %d faults: the others are not shown", maxFaults)}
		d.full = true
	}
	d.faults = append(d.faults, f)
}

// unreadable notes a fault of a value that then has no content to validate.
func (d *document) unreadable(line int, path, format string, args ...any) {
	d.broken = append(d.broken, path)
	d.fault(line, path, format, args...)
}

// reject notes what validation found at a path, unless the value there, or a part of it, was unreadable.
func (d *document) reject(path, format string, args ...any) {
	if d.full {
		return
	}
	for _, b := range d.broken {
		if b == path || within(b, path) || within(path, b) {
			return
		}
	}
	d.fault(d.line(path), path, format, args...)
}

// within reports whether an inner path leads into the value of an outer one.
func within(inner, outer string) bool {
	rest, found := strings.CutPrefix(inner, outer)
	return found && (outer == "" || strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "["))
}

// line of a path, or of the nearest value around it that is in the file.
func (d *document) line(path string) int {
	for {
		if line, found := d.lines[path]; found {
			return line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
}

// item is the path of an item of a list.
func (d *document) item(list string, i int) string {
	if paths := d.items[list]; i < len(paths) {
		return paths[i]
	}
	return list + "[" + strconv.Itoa(i) + "]"
}
