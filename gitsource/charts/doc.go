// Package charts fetches packed Helm charts from OCI registries and HTTP chart repositories, and keeps them by digest.
//
// There are two sides. Whoever deploys knows an archive's address and its SHA-256, from a lock: Server.Fetch asks for
// that one thing, and bytes with another digest never come out of it. No tag and no index is looked at, so nothing that
// is published later can move what was locked. Whoever writes the lock asks Server.Versions what there is, picks one
// (Pick), and takes its archive in with Server.Take, which is where the digest comes from.
//
// Store keeps archives in a folder, each under its digest, within a bound. It trusts nothing that it finds there: every
// read is hashed again, and what does not fit is removed and counts as absent.
//
// A Server sends its credentials to its own host alone. A redirect elsewhere is followed without them, and only to
// https. Sizes are bounded before anything is parsed. Nothing here runs a program, and no server's text is passed on.
//
//	store := charts.NewStore(dir, charts.DefaultLimit)
//	data, err := server.Fetch(ctx, "oci://registry.example.com/charts/web", sha256)
//	sum, err := store.Put(data)
package charts
