package main

import (
	"cmp"
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
	"github.com/sluice-cd/sluice/reconciler/record"
)

// verification is what `verify -o json` prints. It is a contract: keys are added, and none changes its meaning.
type verification struct {
	Lines     int                     `json:"lines"`
	Standings map[record.Standing]int `json:"standings"` // how many lines are worth what
	Chains    []verifiedChain         `json:"chains"`
	Bad       []badLine               `json:"bad"` // each line that is not verified
}

// verifiedChain is the chain of one environment under one key, as far as it verifies.
type verifiedChain struct {
	Application string    `json:"application"`
	Environment string    `json:"environment"`
	Key         string    `json:"key"`
	Lines       int       `json:"lines"`
	First       int64     `json:"first"` // sequence numbers
	Last        int64     `json:"last"`
	At          time.Time `json:"at"` // of the last one
}

// badLine is a line that decides nothing. What it says of itself may be a lie; of what is no line nothing is known but where
// it lies.
type badLine struct {
	Notes       string          `json:"notes"` // the environment whose notes it lies in
	Application string          `json:"application,omitempty"`
	Environment string          `json:"environment,omitempty"`
	Revision    string          `json:"revision"` // the commit that it lies on
	Seq         int64           `json:"seq,omitempty"`
	Phase       policies.Phase  `json:"phase,omitempty"`
	At          time.Time       `json:"at,omitzero"`
	Key         string          `json:"key,omitempty"`
	Standing    record.Standing `json:"standing"`
	Detail      string          `json:"detail,omitempty"`
}

func badLines(lines []record.Judged) []badLine {
	bad := []badLine{}
	for _, j := range lines {
		l := j.Line
		bad = append(bad, badLine{
			Notes: j.Notes, Application: l.Application, Environment: l.Environment, Revision: j.Revision, Seq: l.Seq, Phase: l.Phase,
			At: l.At, Key: l.Key, Standing: j.Verdict.Standing, Detail: j.Verdict.Detail,
		})
	}
	return bad
}

type verifyFlags struct {
	notesFlags
	output string
}

func verifyCommand() *cobra.Command {
	var flags verifyFlags
	cmd := &cobra.Command{
		Use:   "verify [APP [ENV]]",
		Short: "Check the signature and the chain of every note",
		Long: `Reads every line that lies in refs/notes/sluice/* and says which of them count: signed by a key of --keys FILE, on the
revision and in the notes that they name, with nothing missing after them in their chain. Each line that does not count is
listed with what is wrong:

  unknown key      signed by a key that is not in the file, or not for its environment
  bad signature    edited, forged, or never signed
  broken chain     a line after it is missing or is there twice, or it lies where it does not belong
  unknown version  written by a newer agent
  unreadable       no line at all

That the newest lines of a chain were deleted cannot be seen here; the agent that wrote them sees it, and writes them again.

-o json is a contract: lines, standings (how many of each), chains (application, environment, key, lines, first, last, at)
and bad (notes, application, environment, revision, seq, phase, at, key, standing, detail).
Exit status: 0 all lines are verified, 3 some are not.`,
		Example: "  sluice verify --keys sluice.keys\n  sluice verify shop production --keys sluice.keys -o json",
		Args:    arguments(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if flags.keys == "" {
				return hinted{usageError{errors.New("without keys no signature can be checked")}, "sluice verify --keys FILE"}
			}
			made, err := verify(cmd, flags, args)
			if err != nil {
				return err
			}
			if err := printVerification(cmd.OutOrStdout(), flags.output, made); err != nil {
				return err
			}
			if len(made.Bad) > 0 {
				return errDifferences
			}
			return nil
		},
	}
	flags.add(cmd)
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func verify(cmd *cobra.Command, flags verifyFlags, args []string) (verification, error) {
	read, err := flags.read(cmd.Context(), subjectOf(args))
	if err != nil {
		return verification{}, err
	}
	defer read.close()
	return verified(read.lines), nil
}

// verified sums up what lines are worth.
func verified(lines []record.Judged) verification {
	type chain struct {
		record.Subject
		key string
	}
	made := verification{Lines: len(lines), Standings: map[record.Standing]int{}, Chains: []verifiedChain{}}
	chains, bad := map[chain]*verifiedChain{}, []record.Judged{}
	for _, j := range lines {
		made.Standings[j.Verdict.Standing]++
		if !j.Verdict.Decisive() {
			bad = append(bad, j)
			continue
		}
		l := j.Line
		of := chain{l.Subject(), l.Key}
		if chains[of] == nil {
			chains[of] = &verifiedChain{Application: l.Application, Environment: l.Environment, Key: l.Key, First: l.Seq}
		}
		c := chains[of]
		c.Lines, c.Last, c.At = c.Lines+1, l.Seq, l.At // lines come in the order of their sequence
	}
	for _, c := range chains {
		made.Chains = append(made.Chains, *c)
	}
	slices.SortFunc(made.Chains, func(a, b verifiedChain) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment), cmp.Compare(a.First, b.First), cmp.Compare(a.Key, b.Key))
	})
	made.Bad = badLines(bad)
	return made
}

func printVerification(out io.Writer, format string, v verification) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(v)
	}
	if v.Lines == 0 {
		_, err := fmt.Fprintln(out, "No agent has written anything yet.")
		return err
	}
	if len(v.Chains) > 0 {
		table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "APPLICATION\tENVIRONMENT\tKEY\tVERIFIED\tLINES\tLAST")
		for _, c := range v.Chains {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d to %d\t%s\n", c.Application, c.Environment, c.Key, c.Lines, c.First, c.Last, c.At.Local().Format(time.DateTime))
		}
		if err := table.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	if len(v.Bad) > 0 {
		fmt.Fprintln(out, "These lines decide nothing:")
		if err := printBadLines(out, v.Bad); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintln(out, v.counts())
	return err
}

// counts says how many lines are worth what, the verified ones first.
func (v verification) counts() string {
	all := []string{fmt.Sprintf("Lines: %d", v.Lines)}
	for _, s := range []record.Standing{record.Verified, record.UnknownKey, record.BadSignature, record.BrokenChain, record.UnknownVersion, record.Unreadable} {
		if n := v.Standings[s]; n > 0 {
			all = append(all, fmt.Sprintf("%s: %d", s, n))
		}
	}
	return strings.Join(all, ", ")
}

func printBadLines(out io.Writer, lines []badLine) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  NOTES\tON\tSAYS\tSIGNATURE\tDETAIL")
	for _, l := range lines {
		said := "-"
		if l.Phase != "" {
			said = printable(fmt.Sprintf("%s %s %s %s", l.Application, l.Environment, l.Phase, l.At.Local().Format(time.DateTime)))
		}
		fmt.Fprintf(table, "  %s\t%.7s\t%s\t%s\t%s\n", printable(l.Notes), l.Revision, said, l.Standing, printable(l.Detail))
	}
	return table.Flush()
}
