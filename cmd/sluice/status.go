package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

type statusFlags struct {
	repository, keys, credentials, output string
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
}

func statusCommand() *cobra.Command {
	var flags statusFlags
	cmd := &cobra.Command{
		Use:   "status [APP]",
		Short: "Say how an application's environments are, from Git notes alone",
		Long: `Reads what agents wrote into refs/notes/sluice/* and prints the last word about each environment. No cluster is asked.

The repository is the one of this folder (its remote origin), or --repo. With --keys FILE signatures are
checked; without it every line is shown as unverified.`,
		Example: "  sluice status\n  sluice status shop --keys sluice.keys -o json",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := readStatus(cmd.Context(), flags)
			if err != nil {
				return err
			}
			if len(args) == 1 {
				rows = slices.DeleteFunc(rows, func(r environmentStatus) bool { return r.Application != args[0] })
			}
			return printStatus(cmd.OutOrStdout(), flags.output, rows)
		},
	}
	cmd.Flags().StringVar(&flags.repository, "repo", ".", "URL of the repository, or a working folder whose remote origin it is")
	cmd.Flags().StringVar(&flags.keys, "keys", "", "file with public keys, one a line")
	cmd.Flags().StringVar(&flags.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt")
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func readStatus(ctx context.Context, flags statusFlags) ([]environmentStatus, error) {
	address, credentials, err := notesAddress(flags)
	if err != nil {
		return nil, err
	}
	keys, err := readKeys(flags.keys)
	if err != nil {
		return nil, err
	}
	mirror, err := os.MkdirTemp("", "sluice-status-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(mirror) //nolint:errcheck // the system tidies its temporary folder
	repo, err := gitsource.Open(gitsource.Config{URL: address, Dir: mirror, Credentials: credentials})
	if err != nil {
		return nil, err
	}
	defer repo.Close() //nolint:errcheck // it was only read
	refs, err := repo.Fetch(ctx, "refs/notes/sluice/*")
	if err != nil {
		if errors.Is(err, gitsource.ErrAuth) {
			return nil, hinted{err, "sluice status --credentials FOLDER"}
		}
		return nil, err
	}
	var rows []environmentStatus
	for ref := range refs {
		notes, err := repo.ReadNotes(ctx, ref)
		if err != nil {
			return nil, err
		}
		rows = append(rows, lastWords(record.ParseNotes(notes), keys)...)
	}
	slices.SortFunc(rows, func(a, b environmentStatus) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment))
	})
	return rows, nil
}

// lastWords is the newest line of each application. Where some line of it counts, lines that do not are passed over.
func lastWords(lines []record.ParsedLine, keys record.Keyring) []environmentStatus {
	verdicts := record.Verify(lines, keys)
	last := map[record.Subject]environmentStatus{}
	for i, parsed := range lines {
		if parsed.Err != nil {
			continue
		}
		l, standing := parsed.Line, verdicts[i].Standing
		before, ok := last[l.Subject()]
		if ok && before.Standing == record.Verified && standing != record.Verified {
			continue
		}
		last[l.Subject()] = environmentStatus{
			Application: l.Application, Environment: l.Environment, Phase: l.Phase, Revision: l.Revision, Trigger: l.Trigger,
			Reason: l.Reason, At: l.At, Agent: l.Agent, Cluster: l.Cluster, Standing: standing, Evidence: l.Evidence,
		}
	}
	rows := make([]environmentStatus, 0, len(last))
	for _, row := range last {
		rows = append(rows, row)
	}
	return rows
}

func printStatus(out io.Writer, format string, rows []environmentStatus) error {
	if format == "json" {
		if rows == nil {
			rows = []environmentStatus{}
		}
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "No agent has written anything yet.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APPLICATION\tENVIRONMENT\tPHASE\tREVISION\tSINCE\tSIGNATURE\tREASON")
	for _, r := range rows {
		fmt.Fprintf(table, "%s\t%s\t%s\t%.7s\t%s\t%s\t%s\n", r.Application, r.Environment, r.Phase, r.Revision,
			r.At.Local().Format(time.DateTime), r.Standing, r.Reason)
	}
	return table.Flush()
}

func readKeys(file string) (record.Keyring, error) {
	if file == "" {
		return record.Keyring{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return record.Keyring{}, fmt.Errorf("--keys: %w", err)
	}
	return record.ParseKeyring(data)
}

// notesAddress finds the repository and how to get in: the folder's remote origin, with the user and password of its
// address where it has some, else --repository and --credentials.
func notesAddress(flags statusFlags) (string, func() (gitsource.Credentials, error), error) {
	address := flags.repository
	if info, err := os.Stat(address); err == nil && info.IsDir() {
		origin, err := originOf(address)
		if err != nil {
			return "", nil, hinted{err, "sluice status --repo URL"}
		}
		address = origin
	}
	if flags.credentials != "" {
		return address, func() (gitsource.Credentials, error) {
			values, err := config.LoadCredentials(flags.credentials)
			return gitsource.CredentialsFrom(values), err
		}, nil
	}
	parsed, err := url.Parse(address)
	if err != nil || parsed.User == nil || !strings.HasPrefix(parsed.Scheme, "http") {
		return address, nil, nil //nolint:nilerr // scp-like addresses are no URLs; gitsource judges them
	}
	password, _ := parsed.User.Password()
	found := gitsource.Credentials{Username: parsed.User.Username(), Password: gitsource.NewSecret(password)}
	parsed.User = nil
	return parsed.String(), func() (gitsource.Credentials, error) { return found, nil }, nil
}

func originOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	root := repositoryRoot(abs)
	if root == "" {
		return "", fmt.Errorf("%q is in no Git repository", abs)
	}
	repo, err := git.PlainOpenWithOptions(root, &git.PlainOpenOptions{EnableDotGitCommonDir: true})
	if err != nil {
		return "", fmt.Errorf("open repository %q: %w", root, err)
	}
	remote, err := repo.Remote("origin")
	if err != nil || len(remote.Config().URLs) == 0 {
		return "", fmt.Errorf("repository %q has no remote origin", root)
	}
	return remote.Config().URLs[0], nil
}
