package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sluice-cd/sluice/reconciler/record"
)

// readStatus reads the last word about each environment, and how it stands towards the branch.
func readStatus(ctx context.Context, talk io.Writer, flags statusFlags) ([]environmentStatus, error) {
	read, err := flags.read(ctx, record.Subject{})
	if err != nil {
		return nil, err
	}
	defer read.close()
	rows := lastWords(read.lines)
	if len(rows) == 0 || flags.notesOnly {
		return rows, nil
	}
	branch, err := lookAround(ctx, read.remotes)
	if err != nil {
		fmt.Fprintf(talk, "What is next is not known: %v\n", err) // the notes are told all the same
		return rows, nil
	}
	branch.look(ctx, rows, time.Now())
	return rows, nil
}

// lastWords is the newest line of each application in each environment, sorted by their names. Where some line of it counts, lines that do not are
// passed over.
func lastWords(lines []record.Judged) []environmentStatus {
	last := map[record.Subject]environmentStatus{}
	for _, j := range lines {
		if j.Err != nil {
			continue
		}
		l, standing := j.Line, j.Verdict.Standing
		before, ok := last[l.Subject()]
		if ok && before.Standing == record.Verified && standing != record.Verified {
			continue
		}
		last[l.Subject()] = environmentStatus{
			Application: l.Application, Environment: l.Environment, Phase: l.Phase, Revision: l.Revision, Trigger: l.Trigger,
			Reason: l.Reason, At: l.At, Agent: l.Agent, Cluster: l.Cluster, Standing: standing, Evidence: l.Evidence,
		}
	}
	told := map[record.Subject][]record.Line{}
	for _, j := range lines {
		if of := j.Line.Subject(); j.Told() && j.Verdict.Standing == last[of].Standing {
			told[of] = append(told[of], j.Line)
		}
	}
	rows := make([]environmentStatus, 0, len(last))
	for of, row := range last {
		if proven := record.Proven(told[of], of); len(proven) > 0 {
			row.Runs = proven[0].Revision
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b environmentStatus) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment))
	})
	return rows
}
