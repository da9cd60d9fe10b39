//go:build !linux

package worker

import (
	"errors"
	"syscall"
)

// canNamespaces: only Linux has them.
const canNamespaces = false

// raise has nothing to raise here.
func raise(int64, bool) (hello, error) { return hello{Lacks: []string{"all of Linux's barriers"}}, nil }

func apart(bool) *syscall.SysProcAttr { return nil }

func refused(error) bool { return false }

func isBrokenPipe(err error) bool { return errors.Is(err, syscall.EPIPE) }

// meter tells nothing here: Go's own limit is all that there is.
type meter struct{}

func newMeter(int) meter { return meter{} }

func (meter) resident() int64 { return 0 }

func (meter) close() {}

func lower(int) {}
