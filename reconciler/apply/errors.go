package apply

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
)

// ObjectError is why one object cannot be planned, applied or pruned. It never holds a value of a Secret.
type ObjectError struct {
	ID        ID
	Fields    []string // paths that the API server named, such as "spec.replicas"; may be empty
	Reason    string   // for people; names the fields too
	Transient bool     // to be tried again with back-off; else it waits for something new
	Code      int      // HTTP status of the API server's answer; zero: there was none
}

func (e *ObjectError) Error() string { return e.ID.String() + ": " + e.Reason }

// Errors are all faults of a release, sorted.
type Errors []*ObjectError

// Error lists every fault on its own line.
func (errs Errors) Error() string {
	lines := make([]string, len(errs))
	for i, e := range errs {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives each fault.
func (errs Errors) Unwrap() []error {
	all := make([]error, len(errs))
	for i, e := range errs {
		all[i] = e
	}
	return all
}

// Transient reports whether every fault may pass by itself.
func (errs Errors) Transient() bool {
	return !slices.ContainsFunc(errs, func(e *ObjectError) bool { return !e.Transient })
}

// orNil is the errors as an error, sorted, without gaps and doubles.
func (errs Errors) orNil() error {
	errs = slices.DeleteFunc(errs, func(e *ObjectError) bool { return e == nil })
	if len(errs) == 0 {
		return nil
	}
	slices.SortFunc(errs, func(a, b *ObjectError) int {
		return cmp.Or(a.ID.compare(b.ID), cmp.Compare(a.Reason, b.Reason))
	})
	return errs
}

// Final reports whether an error of this package waits for something new: a fault of what was asked for, not of the
// moment. A cancelled context, a cluster that is away and a conflict are not final.
func Final(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	var errs Errors
	if errors.As(err, &errs) {
		return !errs.Transient()
	}
	var one *ObjectError
	if errors.As(err, &one) {
		return !one.Transient
	}
	return errors.Is(err, ErrServiceAccount) || errors.Is(err, ErrReserved)
}
