// Package told makes of the lines of notes what is shown of them: an application's history. It is the same history whoever reads
// the notes, an agent or somebody without a cluster. It asks nobody: lines and commits are given to it.
//
//	history := told.History(told.From{Application: "shop", Lines: judged, Commit: mirror, Now: time.Now()})
package told
