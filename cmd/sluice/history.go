package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// history is what `history -o json` prints. It is a contract: keys are added, and none changes its meaning.
type history struct {
	Application string       `json:"application"`
	Environment string       `json:"environment"`
	Releases    []historyRow `json:"releases"` // the newest first
	// More is how many older ones --limit leaves out.
	More int `json:"more,omitempty"`
	// NotCounted are lines that decide nothing, and why.
	NotCounted []badLine `json:"notCounted"`
}

// historyRow is a release with what its trigger says of itself: the author, the subject, and when it was committed.
type historyRow struct {
	record.Release
	By        string    `json:"by,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Committed time.Time `json:"committed,omitzero"`
}

type historyFlags struct {
	notesFlags
	output string
	limit  int
}

func historyCommand() *cobra.Command {
	var flags historyFlags
	cmd := &cobra.Command{
		Use:   "history APP ENV",
		Short: "Show the releases of an environment, from Git notes alone",
		Long: `Reads what agents wrote into refs/notes/sluice/ENV and shows each release, the newest first: its revision and digest, the
commit that brought it and that commit's author, when it began, how long it took, its phases with how long each lasted, and
why the last one is what it is. No cluster is asked.

With --keys FILE only lines that verify are told; without it every release is shown as unverified. Lines that do not verify
are never part of a release: they are listed below, with what is wrong with them. An author is what a commit says, which
anybody can write.

-o json is a contract: application, environment, releases (revision, trigger, digest, inputs, phase, reason, began, ended,
seconds, phases with phase, at, reason, stage and seconds, agent, cluster, standing, by, subject, committed), more, and
notCounted (revision, phase, at, standing, detail).`,
		Example: "  sluice history shop production\n  sluice history shop production --keys sluice.keys --limit 5 -o json",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.limit < 1 {
				return hinted{usageError{fmt.Errorf("--limit must be at least 1 (got %d)", flags.limit)}, "sluice history APP ENV --limit 20"}
			}
			made, err := readHistory(cmd.Context(), flags, subjectOf(args))
			if err != nil {
				return err
			}
			return printHistory(cmd.OutOrStdout(), flags.output, made)
		},
	}
	flags.add(cmd)
	cmd.Flags().IntVar(&flags.limit, "limit", 20, "how many releases are shown")
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func readHistory(ctx context.Context, flags historyFlags, of record.Subject) (history, error) {
	read, err := flags.read(ctx, of)
	if err != nil {
		return history{}, err
	}
	defer read.close()
	releases, rest := record.Releases(read.lines)
	slices.Reverse(releases)
	made := history{Application: of.Application, Environment: of.Environment, Releases: []historyRow{}, NotCounted: badLines(rest)}
	made.More = max(0, len(releases)-flags.limit)
	from := openCommits(flags.notesFlags, read.remotes)
	for _, r := range releases[:len(releases)-made.More] {
		row := historyRow{Release: r}
		trigger := r.Trigger
		if trigger == "" {
			trigger = r.Revision
		}
		words, ok, err := from.find(ctx, trigger)
		if err != nil {
			return history{}, err
		}
		if ok {
			row.By, row.Subject, row.Committed = words.by, words.subject, words.at.UTC()
		}
		made.Releases = append(made.Releases, row)
	}
	return made, nil
}

func printHistory(out io.Writer, format string, h history) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(h)
	}
	if len(h.Releases) == 0 {
		fmt.Fprintf(out, "No agent has written anything of %s in %s yet.\n", h.Application, h.Environment)
	} else {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "REVISION\tDIGEST\tPHASE\tBEGAN\tTOOK\tTRIGGER\tBY\tSIGNATURE\tPHASES\tREASON")
		for _, r := range h.Releases {
			fmt.Fprintf(table, "%.7s\t%.7s\t%s\t%s\t%s\t%.7s\t%s\t%s\t%s\t%s\n", r.Revision, dash(r.Digest), r.Phase, r.Began.Local().Format(time.DateTime),
				r.took(), dash(r.Trigger), dash(printable(r.By)), r.Standing, r.phases(), dash(printable(r.Reason)))
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if h.More > 0 {
		fmt.Fprintf(out, "… and %d older ones: --limit\n", h.More)
	}
	if len(h.NotCounted) == 0 {
		return nil
	}
	fmt.Fprintf(out, "\nThese lines decide nothing:\n")
	return printBadLines(out, h.NotCounted)
}

// took is how long a release took; a dash: it is not closed, or nobody said.
func (r historyRow) took() string {
	if r.Seconds == 0 {
		return "-"
	}
	return shortTime(time.Duration(r.Seconds * float64(time.Second)))
}

// phases are the phases with how long each lasted; of a staged one, its stages.
func (r historyRow) phases() string {
	var all []string
	for i, t := range r.Phases {
		text := string(t.Phase)
		if t.Stage.Number > 0 && t.Stage.Number <= t.Stage.Of && !t.Phase.Closing() {
			text = fmt.Sprintf("stage %d/%d", t.Stage.Number, t.Stage.Of)
			if t.Phase == policies.Holding {
				text += " " + string(t.Phase)
			}
		}
		if i+1 < len(r.Phases) {
			text += " " + shortTime(time.Duration(t.Seconds*float64(time.Second)))
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// shortTime is a duration with its two largest units.
func shortTime(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(0, d.Round(time.Second)); {
	case d < time.Minute:
		return d.String()
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 2*day:
		return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%dh", d/day, d%day/time.Hour)
}
