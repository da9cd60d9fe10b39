package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a file.
type Fault struct {
	// File is the name that the file was parsed under.
	File string
	// Line counts from 1; 0 where no line is to blame, such as a file that is not there.
	Line int
	// Path leads to the value, such as environments[production].prune.limit; empty for the file as a whole.
	Path string
	// Message says what is wrong and, where it is no secret, what was found.
	Message string

	scope scope
	cause error
}

// scope is whom a fault concerns: the whole file (the zero value) or one environment's block.
type scope struct {
	block       int      // of the list of environments, from 1; 0 for the whole file
	environment string   // of the block; empty where it has no usable name
	others      []string // the environments that have blocks of their own
}

// Error is "file: line N: path: message".
func (f Fault) Error() string {
	var parts []string
	if f.File != "" {
		parts = append(parts, f.File)
	}
	if f.Line > 0 {
		parts = append(parts, "line "+strconv.Itoa(f.Line))
	}
	if f.Path != "" {
		parts = append(parts, f.Path)
	}
	return strings.Join(append(parts, f.Message), ": ")
}

// Unwrap is the error behind the fault, such as fs.ErrNotExist, or nil.
func (f Fault) Unwrap() error { return f.cause }

// concerns reports whether the fault keeps an environment's rules from taking force.
func (f Fault) concerns(environment string) bool {
	switch {
	case f.scope.block == 0, f.scope.environment == environment:
		return true
	case f.scope.environment == "":
		// A block that has lost its name may be anybody's who has no other.
		return !slices.Contains(f.scope.others, environment)
	}
	return false
}

// Faults are all that is wrong with a file, sorted by line. They are an error when there are any: return
// Err(), never the slice itself as an error.
type Faults []Fault

// Error is one fault a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap are the errors behind the faults.
func (fs Faults) Unwrap() []error {
	var causes []error
	for _, f := range fs {
		if f.cause != nil {
			causes = append(causes, f.cause)
		}
	}
	return causes
}

// Err is nil without faults.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// For are the faults that concern an environment of sluice.yaml: those of the file as a whole and those in the
// environment's own block. A fault in another environment's block is not among them. For an environment that
// no block names, a block whose name is missing or unreadable counts too, since it may be that environment's.
func (fs Faults) For(environment string) Faults {
	var mine Faults
	for _, f := range fs {
		if f.concerns(environment) {
			mine = append(mine, f)
		}
	}
	return mine
}

// sorted returns the faults by line, each once.
func (fs Faults) sorted() Faults {
	slices.SortStableFunc(fs, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	return slices.CompactFunc(fs, func(a, b Fault) bool {
		return a.Line == b.Line && a.Path == b.Path && a.Message == b.Message
	})
}

// got is how a value is shown in a fault: quoted, and cut where it is long.
func got(value string) string {
	const most = 80
	if runes := []rune(value); len(runes) > most {
		value = string(runes[:most]) + "..."
	}
	return fmt.Sprintf("(got %q)", value)
}
