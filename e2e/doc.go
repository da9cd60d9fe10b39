// Package e2e tells, as tests, what a user lives through with Sluice. Each file is one story; its steps are subtests
// named as sentences, and a lesson that a story tells is a subtest named after it.
//
//	make e2e RUN=TestAgentReverts
//
// Package world is what the stories happen in.
package e2e
