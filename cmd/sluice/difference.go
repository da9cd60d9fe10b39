package main

import (
	"fmt"
	"strings"
)

// around is how many lines that stay are shown before and after a difference.
const around = 3

// difference shows how a text changes in one place, as diff -u does.
func difference(name, before, after string) string {
	a, b := linesOf(before), linesOf(after)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	from, to := max(0, head-around), min(tail, around)
	var out strings.Builder
	fmt.Fprintf(&out, "--- %s\n+++ %s\n", name, name)
	for _, part := range []struct {
		sign  string
		lines []string
	}{{" ", a[from:head]}, {"-", a[head : len(a)-tail]}, {"+", b[head : len(b)-tail]}, {" ", a[len(a)-tail : len(a)-tail+to]}} {
		for _, line := range part.lines {
			fmt.Fprintf(&out, "%s%s\n", part.sign, line)
		}
	}
	return out.String()
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}
