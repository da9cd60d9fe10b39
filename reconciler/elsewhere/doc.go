// Package elsewhere brings charts from elsewhere to where they are rendered.
//
// Rendering reads nothing but a tree. Over makes a tree that also serves, in a reserved folder, the charts that the tree's
// own sluice.lock names, each under its digest: so what is deployed is what the revision says, a trace holds exactly as
// long as the lock does, and whether it holds is known without the archives.
//
// Where their bytes come from is a Source. Fetcher is that of an agent: it never waits. What is not in the store is
// fetched beside the passes, at most a few at once from one host, and whoever asked is woken. Cache is that of the
// command line, which waits. Resolve writes the lock anew.
package elsewhere
