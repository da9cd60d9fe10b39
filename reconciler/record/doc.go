// Package record is what Sluice tells Git: the line that is written for a release, its signature, the chain
// that it stands in, the outbox where it waits, and the publisher that pushes it.
//
// # The line
//
// Status lives in the notes ref refs/notes/sluice/<environment> ([Ref]), as one JSON object a line, on the
// revision that was rendered. [Line] is its schema. Readers ignore keys that they do not know; a line of an
// unknown version is shown and decides nothing.
//
//	{"v":1,"id":"…","seq":7,"application":"shop","environment":"production",…,"prev":"…","key":"…","sig":"…"}
//
// # What is signed
//
// `sig` is always the last member. What is signed (ed25519) and hashed (SHA-256) is the line's own bytes before
// `,"sig":"`, exactly as they stand in the note: nothing is decoded and encoded again, so that a reader can
// verify a line with keys that it has never heard of. The signature is 64 bytes in standard base64, and
// nothing but `"}` follows it.
//
// # The chain
//
// For each (application, environment, key) every line carries the hash of the line before, and a sequence
// number that only grows. Both are set when a line is made ([Maker.Make], or the pure [Chain.Next]), in the
// pass's `save` phase, so that the state and the line are saved together. Forges do not protect notes: whoever
// may push may write, move or delete them. [Verify] therefore says of every line what it is worth:
//
//	verified        signed by a key that counts here, on its own revision, nothing missing after it
//	unknown key     signed by a key that does not count for its environment
//	bad signature   edited, or not signed
//	broken chain    a line after it is missing or is there twice, or it lies on another revision than it names
//	unknown version, unreadable, unverified (no keys were given)
//
// Only a verified line decides anything; the others are shown. A line *before* a gap does not count, because
// the missing one could be the very line that withdraws it; the lines after the gap do. A deletion can
// therefore take proofs away but never bring one back. The agent mends it: [Outbox.Lost] says which closing
// lines of its own no longer count, and they are made again.
//
// # The way out
//
// A line waits in the [Outbox] of the saved state until a push is confirmed. The [Publisher] is a keyed loop of
// its own, one key for each (repository, environment): it gathers the lines of many applications into one push,
// keeps to a budget for each repository, and lets nothing wait for a forge. A process that dies between the
// push and its confirmation pushes the line again; lines are a union, so it is there once.
//
//	line, chain, err := maker.Make(saved.Chain, record.Line{Phase: policies.Healthy, Revision: revision, …})
//	saved.Chain, saved.Outbox = chain, saved.Outbox.Add(line)
//	// … save, act, and then
//	publisher.Add(record.Target{Repository: url, Environment: "production", Notes: repository},
//		saved.Outbox.Lines(), func(ids []string) { confirm(ids) })
//
// # What is told
//
// [Judge] reads the notes of an environment with what each line is worth. [Releases] puts those that may be told together to
// releases, with their phases, and [Measure] makes the deployment metrics of them. All three are pure; what does not verify is
// part of neither, and is handed back.
//
// # What it refuses to do
//
// It knows no cluster and no Git library, it never decides what a release does next, and it writes nothing that
// is not signed. No control character, no user-info of a URL and nothing that the given mask hides gets into a
// line.
package record
