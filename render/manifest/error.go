package manifest

import (
	"fmt"
	"strings"
)

// Error is a fault that names the file. Path is relative to the root of the tree; empty when no file is to blame.
// Line counts from 1; 0 means unknown. Field is a path inside the file, such as resources[2]; empty means the file
// as a whole.
type Error struct {
	Path  string
	Line  int
	Field string
	Err   error
}

// Error reads "path: line 4: field: cause".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Path != "" {
		fmt.Fprintf(&b, "%s: ", e.Path)
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", e.Line)
	}
	if e.Field != "" {
		fmt.Fprintf(&b, "%s: ", e.Field)
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Faultf makes an Error for a whole file.
func Faultf(path, format string, args ...any) *Error {
	return &Error{Path: path, Err: fmt.Errorf(format, args...)}
}
