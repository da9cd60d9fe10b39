package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// forgeRow is one repository of `validate --forge`, as -o json has it.
type forgeRow struct {
	Repository string         `json:"repository"`
	Forge      string         `json:"forge"`
	Missing    []missingRight `json:"missing"`
	Error      string         `json:"error,omitempty"` // it could not be found out
}

type missingRight struct {
	Right string `json:"right"`
	For   string `json:"for"`
}

// validateForges tries the rights that agent.yaml's credentials need at the forges.
func validateForges(cmd *cobra.Command, flags validateFlags) error {
	rules, err := config.LoadAgent(flags.agent)
	if err != nil {
		return hinted{err, "sluice validate " + flags.agent}
	}
	var core typed.CoreV1Interface
	if flags.clusterFlags.named() {
		conf, err := flags.clusterFlags.rest()
		if err != nil {
			return err
		}
		if core, err = typed.NewForConfig(conf); err != nil {
			return err
		}
	}
	found := triedForges(cmd.Context(), cmd.ErrOrStderr(), rules, core)
	if len(found) == 0 {
		return fmt.Errorf("no repository of %s has a forge to try", flags.agent)
	}
	return reportRights(cmd, flags, found)
}

// triedForges are those that there is something to try at.
func triedForges(ctx context.Context, talk io.Writer, rules *config.Agent, core typed.CoreV1Interface) (found []reconciler.ForgeRights) {
	for _, r := range reconciler.Rights(ctx, rules, core) {
		if r.Untried {
			fmt.Fprintf(talk, "%s: merge requests are opened by push options, and there is no token to try\n", r.Repository)
			continue
		}
		found = append(found, r)
	}
	return found
}

func reportRights(cmd *cobra.Command, flags validateFlags, found []reconciler.ForgeRights) error {
	rows, bad, noCluster := []forgeRow{}, 0, false
	for _, r := range found {
		row := forgeRow{Repository: r.Repository, Forge: string(r.Kind), Missing: []missingRight{}}
		if r.Err != nil {
			row.Error = r.Err.Error()
			noCluster = noCluster || errors.Is(r.Err, reconciler.ErrNoCluster)
		}
		for _, m := range r.Missing {
			row.Missing = append(row.Missing, missingRight{m.Name, m.For})
		}
		if row.Error != "" || len(row.Missing) > 0 {
			bad++
		}
		rows = append(rows, row)
	}
	if flags.output == "json" {
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"forges": rows}); err != nil {
			return err
		}
	} else {
		printRights(cmd.OutOrStdout(), rows)
	}
	switch {
	case noCluster:
		return hinted{fmt.Errorf("forges that lack something: %d, of: %d", bad, len(rows)),
			"sluice validate --forge --agent " + flags.agent + " --kubeconfig FILE, with the right to read Secrets beside the agent"}
	case bad > 0:
		return fmt.Errorf("forges that lack something: %d, of: %d", bad, len(rows))
	}
	return nil
}

func printRights(out io.Writer, rows []forgeRow) {
	for _, row := range rows {
		switch {
		case row.Error != "":
			fmt.Fprintf(out, "%s: %s\n", row.Repository, row.Error)
		case len(row.Missing) == 0:
			fmt.Fprintf(out, "%s: has all rights at %s\n", row.Repository, row.Forge)
		}
		for _, m := range row.Missing {
			fmt.Fprintf(out, "%s: lacks %s, to %s: %s\n", row.Repository, m.Right, m.For, remedy(config.ForgeKind(row.Forge), m.Right))
		}
	}
}

// remedy is what a person does about a missing right.
func remedy(kind config.ForgeKind, right string) string {
	scope := strings.HasPrefix(right, "scope ")
	switch {
	case kind == config.GitHub:
		return "give the App, or the fine-grained token, this permission for the repository, and accept it where it is installed"
	case scope:
		return "make another token with it: scopes of a token do not change"
	case kind == config.GitLab:
		return "make the token's account a Developer of the project"
	default:
		return "make the token's account a collaborator who may write"
	}
}
