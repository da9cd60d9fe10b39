// Package cache keeps on disk what renders came to, so that an agent that starts anew renders nothing that it has rendered.
//
// An entry is a result under the shape of its request. It is the answer to a request of that shape on any tree on which its
// Trace holds: every file that was read has the same object, every folder the same names, every question about the cluster
// the same answer. Nothing else counts, no commit and no time, and so nothing is ever stale.
//
// The folder may be lost, and it is not believed. Each entry begins with a keyed hash of the rest, and the key lies
// elsewhere: what was tampered with, cut off by a crash or written by another program is not there, and goes. Another
// program is another key, since it may render differently.
//
// What must not lie on a disk is not kept: results with fields that this package does not know, of which values that a
// chart generated are some. Encrypted values are decrypted after the cache. There is a bound to its size; what was not used
// for the longest time goes first.
//
//	kept, err := cache.Open(cache.Config{Dir: dir, Program: build})
//	renderer := kept.With(key, pool)
//	result, err := renderer.Render(ctx, tree, request)
package cache
