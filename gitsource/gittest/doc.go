// Package gittest is a real Git server on a loopback address, for tests and for trying things out: smart HTTP through
// git http-backend, and SSH. It needs the git program. Repositories are bare folders <dir>/<name>.git, made when somebody
// first pushes to them or by Create.
//
// Faults can be ordered while it runs, and every request is counted with its bytes, so that a test can say what a poll
// costs:
//
//	srv := gittest.New(t)
//	first := srv.Commit(t, "shop", gittest.Change{Files: map[string]string{"sluice.yaml": "..."}})
//	srv.Order(gittest.Fault{Kind: gittest.DropFetch, Count: 1})
//	url := srv.URL("shop")
//
// The command devgit, in the folder of that name, is the same server as a program.
package gittest
