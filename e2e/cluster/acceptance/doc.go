// Package acceptance tests the built devcluster binary from outside: it starts real clusters, side by side. It
// stands apart from the command, whose test binary would link the whole of Kubernetes again.
package acceptance
