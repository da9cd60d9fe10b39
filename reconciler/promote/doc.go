// Package promote brings releases from one environment to the next, by a pin in the release file: it finds the newest
// revision that is proven where it comes from, and keeps the one merge request that asks for it as it should be, or commits
// the pin where no person is asked.
//
// The code and the release files may be in two repositories, see [Ledger]: then candidates are revisions of the one, and pins,
// branches and requests are in the other.
//
// The agent of the target environment decides, from Git alone: the polled branch, the notes that count of the environments
// that releases come from, and the requests and checks at the forge. What it keeps in memory is only a cache. Nothing is
// decided by a commit's author or trailers, which anybody can write.
//
// [Keeper.Look] is one look at one environment:
//
//	candidates   revisions of the branch that render to what is proven where they come from, newest first
//	decide       which of them is due, by [policies.Promotion]; why not, and until when
//	keep         branch and merge request are as they should be: opened, moved, told of, closed; or the pin is committed
//
// [Keeper.LookTogether] is the same for the members of a group: each decides for itself, and one branch and request asks for all.
//
// [Keeper.Revert] is the other way: after a release that failed and was taken back it keeps a request that has Git say what
// serves again. Where a pin is followed the pin goes back. Where the tip is, the files go back that the failed release was
// rendered from, and of sluice.yaml what shapes its objects; the request names every other environment that renders to
// something else with that, and it is never committed without a person. Both kinds of request are a lane: a branch of one
// commit, known as our own by being just what we would make in its place.
//
// It refuses to move a request that a person has touched: one with an approval, a foreign commit, the label sluice/hold, or
// a place in a merge queue.
package promote
