// Package kustomize builds an overlay that lies in a tree, without a network, a disk or another program.
//
// The library fetches remote bases with git, remote files over HTTP, runs helm and plugins, and does all that whatever
// file system it is given. So the kustomizations are read twice: survey walks them first, refuses whatever would leave
// the tree (each time naming file and field), and bounds how often bases multiply; only then does the library build,
// over a file system that is the tree and nothing else (filesystem.go).
//
// The library keeps its schema in process-wide variables, so builds take turns. Deprecated fields make it print a
// warning to standard error.
package kustomize
