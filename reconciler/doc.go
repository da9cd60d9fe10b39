// Package reconciler brings clusters to what Git says, and tells Git what became of it.
//
// The unit is a [Key]: one application in one environment. A pass over a key is a list of phases, which reads as
// the table of contents of GitOps:
//
//	select   which revision the environment is to be at, and by whose rules
//	render   that revision's manifests, or the last ones where nothing that they were read from changed
//	guard    whether the application may touch what they name
//	observe  how the live objects are, from watches alone
//	plan     the next state and the effects that are due (package policies, pure)
//	save     the state, before any of its effects; only a way back that was tried before is sent beside it
//	act      apply, repair, prune
//	record   say how it is
//
// Each phase answers with an [Outcome]; the first that is not Next ends the pass.
//
// What holds:
//
//   - Level-based. A pass decides from Git, the cluster and the saved state alone. What the agent remembers in
//     a target is a cache; a process that is killed at any instant is followed by one that arrives at the same.
//   - Never waiting. No pass sleeps or polls for health: it saves and returns, and a watch event, a timer or a
//     commit wakes the key again. A newer revision cancels the running pass between two requests.
//   - Nothing to do costs nothing. A commit that changes nothing for a key does not even wake it: each key keeps
//     the trace of what its render read. A pass that finds everything as it was makes no request.
//   - One bad application never stops another: own key, own back-off, own errors.
//   - One place, conclude, turns an outcome into status, log line, event, metric and note.
//
// Around the passes: a source for each repository polls it and makes snapshots; the catalog says which
// application is where; a site for each cluster holds the lease, the watches and the saved state; the askers take the
// samples that a canary's stage needs, a few for each provider; the publisher of package record writes to Git in its own
// time. What is written about a repository (notes, release files, the branches of requests) is in its ledger: the repository
// itself, or one that agent.yaml names, with a source of its own; then the code is never written to. A promoter for each repository keeps its merge requests, by package promote, and statuses puts commit statuses at its
// forge: what is slow there holds no pass.
package reconciler
