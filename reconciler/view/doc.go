// Package view is what an agent shows of itself: plain data, copied, from which nobody can reach a cluster, a repository or a
// credential. The dashboard is handed nothing else. Whoever fills it has masked it: no value of a Secret is in it.
//
// There are three ways to a [Source]: the agent's own, in its process; that of another process's agent, over HTTP; and one
// made of Git notes alone, which has no cluster. The JSON forms are the contract of /api/v1: keys are added, and none changes
// its meaning.
//
//	board, err := source.Board(ctx)
//	for _, cell := range board.Cells { ... }
package view
