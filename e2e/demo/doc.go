// Command demo shows the whole loop on one machine: a control plane, a Git server with the examples, the agent, and
// what became of each push. The Makefile builds the programs that it drives and starts it.
//
//	make demo                      stays up until Ctrl-C
//	make demo EXIT=1               tries what it suggests itself, and ends
//	make demo KUBECONFIG=FILE      in that cluster (kind, k3s) instead of the embedded one
//
// Everything lies in the folder .sluice-demo at the top of the repository, and nothing is left when it ends: no process,
// no file, and in a cluster that is not its own no object. What a demo that was killed has left, the next one removes.
//
// It knows Sluice only from outside, by its files, notes and labels, as the stories beside it do.
package main
