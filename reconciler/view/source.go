package view

import (
	"context"
	"errors"
)

// ErrUnknown is returned for what there is not: an application, an environment, an object, a release.
var ErrUnknown = errors.New("unknown")

// ErrElsewhere is returned for what this source cannot know, as objects where there is no cluster.
var ErrElsewhere = errors.New("not known here")

// Source is where what is shown comes from. Its methods may be called concurrently and return copies. None of them writes
// anything anywhere, and none holds up a pass of the agent.
type Source interface { //nolint:interfacebloat // the pages are what they are, and each needs one of them
	// Board returns everything at a glance. It is cheap: it may be called for each request.
	Board(ctx context.Context) (Board, error)
	// Changes gets a signal soon after the board changed, and whatever changed in between counts as one, until ctx ends.
	Changes(ctx context.Context) <-chan struct{}
	// History returns what happened to an application, by its notes.
	History(ctx context.Context, application string) (History, error)
	// Objects returns the objects of an environment and the pods under them.
	Objects(ctx context.Context, of Key) ([]Object, error)
	// Manifest returns an object as it was applied last, in YAML, with Secrets masked.
	Manifest(ctx context.Context, of Key, object string) (string, error)
	// Diff returns how the objects of two releases differ.
	Diff(ctx context.Context, from, to Side) (Diff, error)
}

// Key is an application in one of its environments.
type Key struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
}

// String returns "shop/production".
func (k Key) String() string { return k.Application + "/" + k.Environment }
