// Package store keeps the objects and references of one bare repository in a folder, in Git's own layout, so that a
// person can look at it with git. It is written for one process and many goroutines.
//
// Objects come in packs. A pack is installed whole: it is received into a temporary file, checked, indexed, and renamed
// into place, data before index. A small one is taken apart into loose objects instead, as git does, or a repository
// that is polled every minute would gather thousands of packs; the loose ones are put together again when there are
// many. References are one packed-refs file, replaced whole. So a process that is killed at any instant leaves either
// the old state or the new one, and at worst temporary files, which Open removes.
//
// It refuses to hand out an object whose bytes are damaged: that is ErrBroken, and the caller should get a new mirror.
package store
