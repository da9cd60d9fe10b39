package worker

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_AARCH64

// allowedHere are the older calls that only this architecture has: none.
var allowedHere []uint32
