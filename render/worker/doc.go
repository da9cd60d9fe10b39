// Package worker renders in processes of their own: templates are other people's programs, and kustomize has one state
// for a whole process.
//
// A Pool keeps a few processes of the same program, each of which renders one thing at a time and has nothing but two
// pipes: no file, no network, no other program, no environment, no credential. The only files it knows are those of the
// Tree, which the parent reads for it. Seccomp has the last word on that, with a short list of system calls that are
// allowed; Landlock and a namespace without a network stand behind it where the kernel has them (barrier_linux.go).
// Barriers says what is there.
//
//	parent                         pipes                        worker
//	Pool.Render ── request ─────────────────────────────────> render.Render
//	answering   <── stat, list, read, object of a path ────── tree
//	   Tree     ── the answer, and files likely asked next ─>
//	            <── objects one by one, then the result ─────
//
// Memory and time are bounded: the worker bounds itself (Go's memory limit, RLIMIT_DATA), and the parent looks at it
// twenty times a second and ends one that has too much or takes too long. A worker that ends, loops, swells or says what
// makes no sense is a *LimitError of the one render that it had, and another takes its place. What takes longer than a
// moment gives its turn to others and goes on beside them with the least priority, so that a handful of endless loops
// holds nobody up.
//
// Main makes a process a worker. It must be the first thing that a program with a Pool does, a test's too:
//
//	func main() {
//		worker.Main()
//		...
//	}
package worker
