// Package gitsource reads application repositories from Git servers, and writes notes and branches back to them.
//
// A Repository is one bare mirror on the disk, shared by every application that lives in it. Refs asks the server what
// its branches are now, for a few hundred bytes; Fetch brings the mirror up to date, with only the references asked for;
// Tree offers a revision as a read-only file system, straight from the object store, and says which Git object lies at a
// path, which is what a render is keyed by:
//
//	repo, err := gitsource.Open(gitsource.Config{URL: "https://git.example.org/shop.git", Dir: "/var/lib/sluice/shop"})
//	heads, err := repo.Fetch(ctx, "refs/heads/main")
//	tree, err := repo.Tree(heads["refs/heads/main"])
//	values, err := fs.ReadFile(tree, "deploy/values.yaml")
//	chart, err := tree.Object("deploy/chart")
//
// A mirror that is damaged, or that has gathered too many packs, is cloned anew beside the old one and swapped; trees
// that were opened before keep reading the old one. A process that is killed at any instant finds a whole mirror at its
// next start.
//
// Commits, MergeBase and ChangedPaths compare revisions, for those who read what a release brings.
//
// Writing does not go through the mirror. AppendNotes adds lines to notes with one request of its own that holds only
// the new objects and the old hash, so that it is a compare-and-swap; lost races are tried again on top of what the
// other one wrote.
//
// Push moves branches in the same way, several by one request. A Move is one of three:
//
//	Change   one commit on top of a branch, of the polled one too   never forced
//	Branch   a branch of one commit below sluice/, moved as a whole   only from where it was last seen
//	Removal  of a branch below sluice/                                the same
//
// Whoever was too late is told so (ErrRace) and decides anew; nothing is merged here:
//
//	written, err := repo.AppendCommit(ctx, gitsource.Change{
//		Ref: "refs/heads/main", Base: tip, Message: "Release shop to production",
//		Files: gitsource.Files{"releases/production.yaml": {Content: pin}},
//	})
//
// Restore gives the Files that undo what became of some paths since another revision.
//
// What it refuses: a checkout, submodules, symbolic links that leave the tree, fetching anything but named references,
// writing any reference that Config.Writes does not list, forcing anywhere but below refs/heads/sluice/, following a
// redirect to another host with credentials, and an error that holds a secret. It does not decide when to poll.
package gitsource
