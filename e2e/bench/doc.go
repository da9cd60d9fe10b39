// The benchmark measures the built agent on a real control plane, beside a floor that is measured in the same run.
//
//	make bench                 # all figures, minutes
//	make bench RUN=agent-one   # those whose names match
//
// It makes a monorepo of many kustomize applications (five objects each, a namespace each), prints a line for each
// figure, from column 0,
//
//	bench/<name> <value> <unit>[ ratio <r> to <what>]
//
// and writes the same to bench.json, with the requests behind the figures by verb and resource. What it says while it
// works goes to stderr.
//
// The floor is what any agent has to do at least: a plain program of client-go that applies the same objects with 20
// workers and no throttle, once bare and once with a dry-run before each write, as the very service account that the
// agent impersonates, in namespaces of its own. Both are started as processes, and their time begins with that: the
// agent's has its start, its lease, its clone and its renders in it. When everything is applied, and when all
// Deployments are available, is seen by the same watches for both.
//
// Requests are distinct ones of the API server's audit log; a watch is one. What a commit or a drift costs leaves out
// the lease, which goes on by itself. CPU and memory are the kernel's, of the process and its children. Of several
// tries the median has the plain name, "-worst" is the worst.
package main
