package gitsource

import (
	"errors"

	"github.com/sluice-cd/sluice/gitsource/internal/store"
	"github.com/sluice-cd/sluice/gitsource/internal/wire"
)

// What a caller can tell apart with errors.Is. All but ErrUnavailable and ErrRace wait for somebody to change something;
// those two are worth another try later.
var (
	// ErrNotFound: the repository, or the revision asked of the mirror, is not there. Hosted forges also say so when
	// credentials lack the right to see a repository.
	ErrNotFound = wire.ErrNotFound
	// ErrAuth: the server does not accept the credentials, or we do not accept its host key.
	ErrAuth = wire.ErrAuth
	// ErrReadOnly: the credentials do not allow to write.
	ErrReadOnly = wire.ErrReadOnly
	// ErrRefused: a rule of the server is against the change, a hook or a protected reference.
	ErrRefused = wire.ErrRefused
	// ErrProtected is the ErrRefused of a protected branch; its text says what to do.
	ErrProtected = wire.ErrProtected
	// ErrRace: others changed the reference. AppendNotes says so after several tries; whoever pushes a Move looks at the
	// branch anew and decides again.
	ErrRace = wire.ErrRace
	// ErrClash: a branch bars the name of another one, as "sluice" does that of "sluice/x".
	ErrClash = errors.New("branch names clash")
	// ErrUnavailable: the server cannot be reached, or did not answer as one.
	ErrUnavailable = wire.ErrUnavailable
	// ErrTooLarge: a file in the repository is larger than the agent takes in, 256 MiB.
	ErrTooLarge = store.ErrTooLarge
	// ErrBroken: the mirror on the disk is damaged; the next Fetch replaces it.
	ErrBroken = errors.New("mirror is damaged")
	// ErrOutside: a symbolic link leaves the tree.
	ErrOutside = errors.New("symbolic link leaves the tree")
	// ErrSubmodule: the path is a submodule, or lies in one.
	ErrSubmodule = errors.New("submodules are not followed")
	// ErrForbiddenRef: the reference is not among those that may be written.
	ErrForbiddenRef = errors.New("reference may not be written")
)
