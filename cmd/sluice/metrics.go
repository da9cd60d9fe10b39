package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type metricsFlags struct {
	notesFlags
	since, at, output string
}

func metricsCommand() *cobra.Command {
	var flags metricsFlags
	cmd := &cobra.Command{
		Use:   "metrics [APP [ENV]]",
		Short: "Show how environments are delivered to, from verified Git notes alone",
		Long: `Computes the four deployment metrics of each environment over --since, from lines that verify by --keys FILE, and from
nothing else but the times of the commits that they name:

  deployments       releases that became Healthy for the first time, and how many that is a day. A way back to a release
                    that was proven before is none.
  lead time         from the commit of a deployment (when it was committed; the older one of its revision and the commit
                    that brought it) to Healthy. Median.
  change failure    failures by changes. A change is a release that became Healthy or failed; a failure one that Failed, was
  rate              RolledBack, or was left by a way back.
  time to restore   from Failed to the next Healthy or RolledBack of the environment. Median. Failures that are not restored
                    yet are counted as open.

-o json is a contract: for each environment application, environment, from, to, deployments, deploymentsPerDay, leadTime and
timeToRestore (each with seconds, the median; of, how many; unknown, how many could not be told), changes, failures,
failureRate (0 to 1), open.`,
		Example: "  sluice metrics --keys sluice.keys\n  sluice metrics shop production --keys sluice.keys --since 90d -o json",
		Args:    arguments(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, to, err := flags.period()
			if err != nil {
				return err
			}
			if flags.keys == "" {
				return hinted{usageError{errors.New("only lines that verify count, and without keys none does")}, "sluice metrics --keys FILE"}
			}
			all, passedOver, err := measure(cmd.Context(), flags, subjectOf(args), from, to)
			if err != nil {
				return err
			}
			if passedOver > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "Lines that do not count: %d\nTry: sluice verify --keys %s\n", passedOver, flags.keys)
			}
			return printMetrics(cmd.OutOrStdout(), flags.output, all)
		},
	}
	flags.add(cmd)
	cmd.Flags().StringVar(&flags.since, "since", "30d", "how far back, such as 12h, 7d or 90d")
	cmd.Flags().StringVar(&flags.at, "at", "", "up to another time than now, such as 2026-12-24T08:00:00Z")
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

// period is the time that is measured.
func (f metricsFlags) period() (from, to time.Time, err error) {
	var since config.Duration
	if err := since.UnmarshalText([]byte(f.since)); err != nil || since <= 0 {
		if err == nil {
			err = errors.New("must be more than nothing")
		}
		return from, to, hinted{usageError{fmt.Errorf("--since %s: %w", f.since, err)}, "sluice metrics --since 30d"}
	}
	if to, err = timeOf(f.at, "sluice metrics"); err != nil {
		return from, to, err
	}
	return to.Add(-since.Std()), to, nil
}

// measure computes the metrics of each environment that an agent wrote of, and says how many lines did not count.
func measure(ctx context.Context, flags metricsFlags, of record.Subject, from, to time.Time) ([]record.Metrics, int, error) {
	read, err := flags.read(ctx, of)
	if err != nil {
		return nil, 0, err
	}
	defer read.close()
	releases, rest := record.Releases(read.lines)
	var failed error
	found := openCommits(flags.notesFlags, read.remotes)
	committed := func(revision string) (time.Time, bool) {
		words, ok, err := found.find(ctx, revision)
		failed = errors.Join(failed, err)
		return words.at, ok
	}
	all := []record.Metrics{}
	for _, some := range record.BySubject(releases) {
		all = append(all, record.Measure(some, committed, from.UTC(), to.UTC()))
	}
	return all, len(rest), failed
}

func printMetrics(out io.Writer, format string, all []record.Metrics) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "No agent has written anything that counts yet.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APPLICATION\tENVIRONMENT\tDEPLOYMENTS\tA DAY\tLEAD TIME\tFAILURE RATE\tTIME TO RESTORE\tOPEN")
	for _, m := range all {
		fmt.Fprintf(table, "%s\t%s\t%d\t%.2g\t%s\t%s\t%s\t%d\n", m.Application, m.Environment, m.Deployments, m.DeploymentsPerDay,
			medianText(m.LeadTime), rateText(m), medianText(m.TimeToRestore), m.Open)
	}
	return table.Flush()
}

func medianText(m record.Median) string {
	text := "-"
	if m.Of > 0 {
		text = shortTime(time.Duration(m.Seconds * float64(time.Second)))
	}
	if m.Unknown > 0 {
		text += fmt.Sprintf(" (%d unknown)", m.Unknown)
	}
	return text
}

func rateText(m record.Metrics) string {
	if m.FailureRate == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f%% (%d of %d)", *m.FailureRate*100, m.Failures, m.Changes)
}
