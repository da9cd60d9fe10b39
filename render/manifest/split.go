package manifest

import (
	"bytes"
	"iter"
	"slices"
)

// document is one part of a stream. first is the line, from 1, at which data begins.
type document struct {
	first int
	data  []byte
}

// split cuts a stream at its document markers. A marker is a line that begins with "---" (what follows on the line
// belongs to the next document, since templates glue text to it) or that is "...". Documents that hold only
// comments, directives or space are left out.
func split(data []byte) []document {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	var docs []document
	current, line := document{first: 1}, 0
	flush := func(next int) {
		if !blank(current.data) {
			docs = append(docs, current)
		}
		current = document{first: next}
	}
	for text := range lines(data) {
		line++
		rest, marker := cutMarker(text)
		if !marker {
			current.data = append(current.data, text...)
			continue
		}
		flush(line + 1)
		if len(bytes.TrimSpace(rest)) > 0 {
			current = document{first: line, data: append([]byte(nil), rest...)}
		}
	}
	flush(0)
	return docs
}

func cutMarker(line []byte) (rest []byte, marker bool) {
	if rest, ok := bytes.CutPrefix(line, []byte("---")); ok && (len(rest) == 0 || rest[0] != '-') {
		return bytes.TrimLeft(rest, " \t"), true
	}
	return nil, string(bytes.TrimSpace(line)) == "..." && line[0] == '.'
}

func blank(data []byte) bool {
	for line := range lines(data) {
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' && line[0] != '%' {
			return false
		}
	}
	return true
}

// breaks ends a line in YAML 1.1, besides "\n" and "\r\n". A comment that ends in one of them must not swallow what
// follows.
const breaks = "\r\u0085\u2028\u2029"

// lines yields the lines of data as the YAML library sees them, each with its break.
func lines(data []byte) iter.Seq[[]byte] {
	if !bytes.ContainsAny(data, breaks) {
		return bytes.Lines(data)
	}
	return func(yield func([]byte) bool) {
		for line := range bytes.Lines(data) {
			for len(line) > 0 {
				end := lineEnd(line)
				if !yield(line[:end]) {
					return
				}
				line = line[end:]
			}
		}
	}
}

// lineEnd returns the length of the first line, its break included.
func lineEnd(text []byte) int {
	i := bytes.IndexAny(text, breaks)
	switch {
	case i < 0, slices.Equal(text[i:], []byte("\r\n")):
		return len(text)
	case text[i] == '\r':
		return i + 1
	case text[i] == 0xC2: // U+0085
		return i + 2
	default: // U+2028, U+2029
		return i + 3
	}
}
