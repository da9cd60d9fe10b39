package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type statusFlags struct {
	notesFlags
	output    string
	watch     bool
	namespace string
	notesOnly bool
	clusterFlags
}

// environmentStatus is one row: the last line that Git has of an application in an environment.
type environmentStatus struct {
	Application string          `json:"application"`
	Environment string          `json:"environment"`
	Phase       policies.Phase  `json:"phase"`
	Revision    string          `json:"revision"`
	Trigger     string          `json:"trigger,omitempty"`
	Reason      string          `json:"reason,omitempty"`
	At          time.Time       `json:"at"`
	Agent       string          `json:"agent,omitempty"`
	Cluster     string          `json:"cluster,omitempty"`
	Standing    record.Standing `json:"standing"` // what the line's signature is worth
	Evidence    record.Evidence `json:"evidence,omitzero"`
	// Runs is the revision of the last release that was proven and not withdrawn.
	Runs   string  `json:"runs,omitempty"`
	Behind *behind `json:"behind,omitempty"` // missing: it cannot be told
	// Blocks is what keeps it from having what is next.
	Blocks string `json:"blocks,omitempty"`

	hindered hindrance
}

func statusCommand() *cobra.Command {
	var flags statusFlags
	cmd := &cobra.Command{
		Use:   "status [APP [ENV]]",
		Short: "Say how an application's environments are, from Git alone",
		Long: `Reads what agents wrote into refs/notes/sluice/* and prints the last word about each environment. No cluster is asked.

BEHIND is how many commits of what is next would change the environment: of what is proven in the environment that it is
promoted from, else of the repository's default branch. BLOCKED BY is what keeps it from having them: a failure, a window, a
pin, a person. For that the branch is read too; with --notes-only it is not.

The repository is the one of this folder (its remote origin), or --repo. With --keys FILE signatures are
checked; without it every line is shown as unverified.

With --watch the cluster is asked instead, with your own kubeconfig and rights, about one environment: the stage, new and
proven pods, the time that is left and what it waits for, until you interrupt it. On a terminal it is drawn anew; elsewhere,
and with -o json, each change is a line.`,
		Example: "  sluice status\n  sluice status shop --keys sluice.keys -o json\n  sluice status shop production --watch --context eu-1",
		Args:    arguments(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.watch {
				if len(args) != 2 {
					return hinted{usageError{errors.New("--watch shows one environment")}, "sluice status APP ENV --watch"}
				}
				return watchStatus(cmd, flags, reconciler.Key{Application: args[0], Environment: args[1]})
			}
			rows, err := readStatus(cmd.Context(), cmd.ErrOrStderr(), flags)
			if err != nil {
				return err
			}
			rows = slices.DeleteFunc(rows, func(r environmentStatus) bool {
				return len(args) > 0 && r.Application != args[0] || len(args) > 1 && r.Environment != args[1]
			})
			return printStatus(cmd.OutOrStdout(), flags.output, rows, args)
		},
	}
	flags.notesFlags.add(cmd)
	cmd.Flags().BoolVar(&flags.notesOnly, "notes-only", false, "do not read the branch, and say nothing of what is next")
	cmd.Flags().BoolVarP(&flags.watch, "watch", "w", false, "show one environment as it is in the cluster, and each change")
	cmd.Flags().StringVarP(&flags.namespace, "state-namespace", "n", "sluice-system", "namespace of the agent's state, for --watch")
	flags.clusterFlags.add(cmd)
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func printStatus(out io.Writer, format string, rows []environmentStatus, of []string) error {
	if format == "json" {
		if rows == nil {
			rows = []environmentStatus{}
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	if len(rows) == 0 {
		said := "No agent has written anything"
		if len(of) > 0 {
			said += " of " + strings.Join(of, " in ")
		}
		_, err := fmt.Fprintln(out, said+" yet.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APPLICATION\tENVIRONMENT\tPHASE\tREVISION\tBEHIND\tSINCE\tSIGNATURE\tBLOCKED BY")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%.7s\t%s\t%s\t%s\t%s\n", r.Application, r.Environment, r.Phase, r.Revision, r.Behind,
			r.At.Local().Format(time.DateTime), r.Standing, dash(printable(r.blocked())))
	}
	return table.Flush()
}

// blocked is why an environment is not where it should be: what keeps it, else the last word, where that is not that it is well.
func (r environmentStatus) blocked() string {
	if r.Blocks != "" || r.Phase == policies.Healthy {
		return r.Blocks
	}
	return r.Reason
}

// String returns "2 of staging"; of nothing that is known a dash.
func (b *behind) String() string {
	switch {
	case b == nil:
		return "-"
	case b.AtLeast:
		return fmt.Sprintf("%d or more of %s", b.Commits, b.Of)
	}
	return fmt.Sprintf("%d of %s", b.Commits, b.Of)
}
