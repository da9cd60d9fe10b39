package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

func printPreview(out io.Writer, format string, p reconciler.Preview) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(p)
	}
	fmt.Fprintf(out, "%s in namespace %s: %s\n", p.Key, p.Namespace, outline(p))
	printAsked(out, p)
	if p.InStage > 0 {
		fmt.Fprintf(out, "A release is in stage %d now: another one takes it back to the proven one first\n", p.InStage)
	}
	if p.Held != "" {
		fmt.Fprintf(out, "A window holds now what the agent has in hand: %s\n", p.Held)
	}
	if p.Closed != "" {
		fmt.Fprintf(out, "Nothing of it begins now: %s\n", p.Closed)
	}
	if p.Override != "" {
		fmt.Fprintf(out, "It begins although a window is closed: %s\n", p.Override)
	}
	for _, part := range []struct {
		when  reconciler.Moment
		title string
	}{
		{reconciler.AtOnce, "At once"}, {reconciler.BeforeFirst, "Before the first stage"},
		{reconciler.BeforeIfNew, "Before the first stage where the cluster has them not yet, else after the last one"},
		{reconciler.InStages, "In stages"}, {reconciler.InWave, "In one wave"}, {reconciler.AfterLast, "After the last stage"},
		{reconciler.Pruned, "Last of all, what Git no longer has"},
	} {
		if part.when == reconciler.AtOnce {
			printHooks(out, p, true)
		}
		printPart(out, p, part.when, part.title)
	}
	printHooks(out, p, false)
	if n := len(p.Objects) - countFunc(p.Objects, shown); n > 0 {
		fmt.Fprintf(out, "\nUnchanged: %d\n", n)
	}
	if p.Refused != "" {
		fmt.Fprintf(out, "\nThe agent would refuse it: %s\n", p.Refused)
	}
	if len(p.Warnings) > 0 {
		fmt.Fprintf(out, "\nWarnings\n")
	}
	for _, w := range p.Warnings {
		fmt.Fprintf(out, "  %s\n", w)
	}
	return nil
}

// outline is the plan in a few words.
func outline(p reconciler.Preview) string {
	switch {
	case p.Compared && !slices.ContainsFunc(p.Objects, changes) && len(p.Hooks) > 0:
		return "no object would change, but it is a new release, with hooks"
	case p.Compared && !slices.ContainsFunc(p.Objects, changes):
		return "nothing would change"
	case p.Waves():
		return "one wave"
	case len(p.Stages) == 0:
		return "no stages"
	case len(p.Stages) == 1:
		return "1 stage, capacity " + string(p.Capacity)
	}
	return fmt.Sprintf("%d stages, capacity %s", len(p.Stages), p.Capacity)
}

// shown reports whether an object has a line of its own.
func shown(o reconciler.PreviewObject) bool { return o.Action != apply.Unchanged }

func countFunc[T any](items []T, has func(T) bool) (n int) {
	for _, item := range items {
		if has(item) {
			n++
		}
	}
	return n
}

func printPart(out io.Writer, p reconciler.Preview, when reconciler.Moment, title string) {
	is := func(o reconciler.PreviewObject) bool { return o.When == when && shown(o) }
	if !slices.ContainsFunc(p.Objects, is) {
		return
	}
	fmt.Fprintf(out, "\n%s\n", title)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, o := range p.Objects {
		if is(o) {
			said := strings.Join(append(slices.Clone(o.Fields), o.Reason), " ")
			fmt.Fprintln(table, strings.TrimRight(strings.Join([]string{"  " + o.Object, string(o.Action), said}, "\t"), " \t"))
		}
	}
	table.Flush() //nolint:errcheck // what cannot be written cannot be told either
	if when == reconciler.InStages {
		printStages(out, p)
	}
}

func printStages(out io.Writer, p reconciler.Preview) {
	for _, s := range p.Stages {
		fmt.Fprintf(out, "  stage %d: %s", s.Stage, s.Step)
		if s.Hold != "" {
			fmt.Fprintf(out, " for %s", s.Hold)
		}
		if len(s.Analysis) > 0 {
			fmt.Fprintf(out, ", measured by %s", strings.Join(s.Analysis, ", "))
		}
		if s.Approve {
			fmt.Fprint(out, ", when a person approves it")
		}
		fmt.Fprintln(out)
		for _, w := range s.Workloads {
			fmt.Fprintf(out, "    %s: %s\n", w.Object, podsOf(w, p.Capacity))
		}
	}
	fmt.Fprintf(out, "  then all others, a few at a time\n")
}

// podsOf counts the pods of a stage, and says what they need.
func podsOf(w reconciler.PreviewWorkload, capacity policies.Capacity) string {
	text := fmt.Sprintf("%d new beside %d proven", w.New, w.Proven)
	const inPlace = "replaced in place one at a time, with no extra pods"
	switch all := w.New + w.Proven; {
	case w.InPlace && w.Replicas == 0: // only a cluster knows its nodes
		return inPlace
	case w.InPlace:
		return text + ", " + inPlace
	case capacity == policies.Replace:
		return text + ", no more pods than before"
	case w.Replicas > 0 && w.New >= w.Replicas:
		return fmt.Sprintf("%s: %d pods, at least double capacity", text, all)
	default:
		return fmt.Sprintf("%s: %d pods", text, all)
	}
}

// printAsked says what the release would be to its environment.
func printAsked(out io.Writer, p reconciler.Preview) {
	what, that := "It", "it"
	if p.Asked != "" {
		what, that = fmt.Sprintf("What is pinned, %.7s,", p.Asked), "what is pinned"
	}
	if p.RollsBack != "" {
		fmt.Fprintf(out, "%s is a roll-back from %.7s: all pods at once, beside the others, without stages, and no window keeps it\n", what, p.RollsBack)
	}
	if p.Quarantined != "" {
		fmt.Fprintf(out, "%s is in quarantine: %s\n", what, p.Quarantined)
	}
	if p.Blocked != "" {
		fmt.Fprintf(out, "The agent would refuse %s: %s\n", that, p.Blocked)
	}
	if p.Asked != "" && (p.RollsBack != "" || p.Quarantined != "" || p.Blocked != "") {
		fmt.Fprintf(out, "What follows is of the working folder; sluice plan --revision %.7s shows what is pinned\n", p.Asked)
	}
}
