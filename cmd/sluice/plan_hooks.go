package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
)

// printHooks shows the hooks that run before anything is applied, or those after it.
func printHooks(out io.Writer, p reconciler.Preview, before bool) {
	last := policies.Moment("")
	for _, h := range p.Hooks {
		if strings.HasPrefix(string(h.Moment), "pre-") != before {
			continue
		}
		if h.Moment != last {
			last = h.Moment
			when := "when all of it is healthy, before the release is proven"
			if before {
				when = "before anything of it is applied"
			}
			fmt.Fprintf(out, "\nHooks %s (%s)\n", when, h.Moment)
		}
		fmt.Fprintf(out, "  %s\n", h.Object)
	}
}
