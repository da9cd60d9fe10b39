package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
	"github.com/sluice-cd/sluice/render/helm"
)

// explanation is what `sluice render --explain` tells. Its JSON form is a contract.
type explanation struct {
	// Read is all that the render was told by the files and of the cluster.
	Read []render.Answer `json:"read"`
	// Fault is why it failed; what it had read until then is told all the same.
	Fault string `json:"fault,omitempty"`
	// Against is the revision that it is compared with; empty: there is none.
	Against string `json:"against,omitempty"`
	// Hit: an agent that had rendered that one would not render again. Changes are why it would.
	Hit     bool            `json:"hit"`
	Changes []render.Change `json:"changes,omitempty"`
}

// explain tells what a render reads, and whether an agent that had rendered another revision would render again.
func explain(ctx context.Context, out io.Writer, flags renderFlags, args []string, place checkout, app *config.Application, env *config.Environment) error {
	cluster := render.Capabilities{KubeVersion: flags.kubeVersion, APIVersions: helm.APIVersions(flags.apiVersions)}
	trace, fault := place.trace(ctx, app, env, cluster)
	told := explanation{Read: trace.Answers(), Against: flags.against}
	if fault != nil {
		if told.Fault = fault.Error(); len(told.Read) == 0 {
			return fault
		}
	}
	if flags.against != "" {
		before, err := locate(ctx, flags.dir, flags.against)
		if err != nil {
			return err
		}
		defer before.close()
		app, env, err := before.environment(args)
		if err != nil {
			return fmt.Errorf("at %s: %w", flags.against, err)
		}
		then, _ := before.trace(ctx, app, env, cluster)
		told.Changes = then.Changes(elsewhere.Over(place.tree, fetchedCharts(ctx)), place.request(app, env, cluster))
		told.Hit = len(told.Changes) == 0
	}
	if flags.output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(told)
	}
	return told.print(out)
}

// trace is what a render asks, one that fails too.
func (c checkout) trace(ctx context.Context, app *config.Application, env *config.Environment, cluster render.Capabilities) (render.Trace, error) {
	made, err := c.render(ctx, app, env, cluster)
	if err == nil {
		return made.Trace, nil
	}
	trace, known := render.TraceOf(err)
	if !known {
		return render.Trace{}, errors.Join(err, ctx.Err())
	}
	return trace, err
}

func (e explanation) print(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, a := range e.Read {
		said := short(a.Said)
		if a.Kind == render.AnswerFile || a.Kind == render.AnswerFolder {
			said = said[:min(7, len(said))]
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", a.Kind, a.Of, said)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if e.Fault != "" {
		fmt.Fprintf(out, "It fails: %s\n", e.Fault)
	}
	switch {
	case e.Against == "":
	case e.Hit:
		fmt.Fprintf(out, "A hit: all that was read at %s is the same, so it is not rendered again\n", e.Against)
	default:
		fmt.Fprintf(out, "A miss: of what was read at %s, these are others now\n", e.Against)
		for _, c := range e.Changes {
			fmt.Fprintf(table, "  %s\twas %s\tis %s\n", c.Of, short(c.Was), short(c.Is))
		}
	}
	return table.Flush()
}

// short is the beginning of an answer: a cluster's list of APIs is long.
func short(said string) string {
	const most = 60
	if len(said) > most {
		return said[:most] + "..."
	}
	return said
}
