package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// readStatus reads the last word about each environment, and how it stands towards the branch.
func readStatus(ctx context.Context, talk io.Writer, flags statusFlags) ([]environmentStatus, error) {
	keys, err := readKeys(flags.keys)
	if err != nil {
		return nil, err
	}
	remotes, done, err := openRemotes(flags)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := readRows(ctx, remotes.ledger, keys)
	if err != nil || len(rows) == 0 || flags.notesOnly {
		return rows, err
	}
	branch, err := lookAround(ctx, remotes)
	if err != nil {
		fmt.Fprintf(talk, "What is next is not known: %v\n", err) // the notes are told all the same
		return rows, nil
	}
	branch.look(ctx, rows, time.Now())
	return rows, nil
}

// openRemote opens a repository through a mirror that done removes.
func openRemote(flags statusFlags) (repo *gitsource.Repository, done func(), err error) {
	address, credentials, err := notesAddress(flags)
	if err != nil {
		return nil, nil, err
	}
	mirror, err := os.MkdirTemp("", "sluice-status-")
	if err != nil {
		return nil, nil, err
	}
	remove := func() { _ = os.RemoveAll(mirror) } //nolint:errcheck // the system tidies its temporary folder
	repo, err = gitsource.Open(gitsource.Config{URL: address, Dir: mirror, Credentials: credentials})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return repo, func() {
		_ = repo.Close() //nolint:errcheck // it was only read
		remove()
	}, nil
}

func readRows(ctx context.Context, repo *gitsource.Repository, keys record.Keyring) ([]environmentStatus, error) {
	lines, err := readLines(ctx, repo, keys)
	if err != nil {
		return nil, err
	}
	rows := lastWords(lines)
	slices.SortFunc(rows, func(a, b environmentStatus) int {
		return cmp.Or(cmp.Compare(a.Application, b.Application), cmp.Compare(a.Environment, b.Environment))
	})
	return rows, nil
}

// readLines reads every line of every environment, by the environment's name, with what it is worth.
func readLines(ctx context.Context, repo *gitsource.Repository, keys record.Keyring) ([]record.Judged, error) {
	refs, err := repo.Fetch(ctx, record.Ref("*"))
	if err != nil {
		if errors.Is(err, gitsource.ErrAuth) {
			return nil, hinted{err, "sluice status --credentials FOLDER"}
		}
		return nil, err
	}
	var lines []record.Judged
	for _, ref := range slices.Sorted(maps.Keys(refs)) {
		notes, err := repo.ReadNotes(ctx, ref)
		if err != nil {
			return nil, err
		}
		lines = append(lines, record.Judge(strings.TrimPrefix(ref, record.Ref("")), notes, keys)...)
	}
	return lines, nil
}

// lastWords is the newest line of each application in each environment. Where some line of it counts, lines that do not are
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
	return rows
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
