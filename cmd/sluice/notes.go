package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// notesFlags say where the notes are, how to get in, and whose signatures count.
type notesFlags struct {
	repository, ledger, keys, credentials string
	// mirrors is a folder that keeps them; empty: they are made anew each time.
	mirrors string
}

func (f *notesFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.repository, "repo", ".", "URL of the repository, or a working folder whose remote origin it is")
	cmd.Flags().StringVar(&f.ledger, "ledger", "", "URL or clone of the ledger, where the agent has one: the notes are there")
	cmd.Flags().StringVar(&f.keys, "keys", "", "file with public keys, one a line")
	cmd.Flags().StringVar(&f.credentials, "credentials", "", "folder with username, password, token, identity, known_hosts or ca.crt")
}

// notes are the lines that a command reads, each with what it is worth, and the repositories that they are about and lie in.
type notes struct {
	remotes
	lines []record.Judged
	close func()
}

// read reads the lines about a subject, an empty application or environment standing for all of them.
func (f notesFlags) read(ctx context.Context, of record.Subject) (*notes, error) {
	keys, err := readKeys(f.keys)
	if err != nil {
		return nil, err
	}
	from, done, err := f.open()
	if err != nil {
		return nil, err
	}
	lines, err := readLines(ctx, from.ledger, keys)
	if err != nil {
		done()
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(j record.Judged) bool { return !concerns(j, of) })
	return &notes{from, lines, done}, nil
}

// told are the lines about a subject that may be told as what happened.
func (n *notes) told(of record.Subject) (told []record.Line) {
	for _, j := range n.lines {
		if j.Told() && j.Line.Subject() == of {
			told = append(told, j.Line)
		}
	}
	return told
}

// concerns reports whether a line is about a subject, an empty application or environment standing for all of them. What is
// no line concerns whoever reads the notes that it lies in.
func concerns(j record.Judged, of record.Subject) bool {
	if j.Err != nil {
		return of.Environment == "" || of.Environment == j.Notes
	}
	return (of.Application == "" || of.Application == j.Line.Application) && (of.Environment == "" || of.Environment == j.Line.Environment)
}

// subjectOf is what the arguments name; what they leave out is empty, and stands for all.
func subjectOf(args []string) (of record.Subject) {
	if len(args) > 0 {
		of.Application = args[0]
	}
	if len(args) > 1 {
		of.Environment = args[1]
	}
	return of
}

// mirror opens the repository through a mirror that done removes.
func (f notesFlags) mirror() (repo *gitsource.Repository, done func(), err error) {
	address, credentials, err := f.address()
	if err != nil {
		return nil, nil, err
	}
	folder, remove, err := f.mirrorOf(address)
	if err != nil {
		return nil, nil, err
	}
	repo, err = gitsource.Open(gitsource.Config{URL: address, Dir: folder, Credentials: credentials})
	if err != nil {
		remove()
		return nil, nil, err
	}
	return repo, func() {
		_ = repo.Close() //nolint:errcheck // it was only read
		remove()
	}, nil
}

// mirrorOf is the folder of a mirror.
func (f notesFlags) mirrorOf(address string) (folder string, remove func(), err error) {
	if f.mirrors != "" {
		return filepath.Join(f.mirrors, fmt.Sprintf("%x", sha256.Sum256([]byte(address)))[:16]), func() {}, nil
	}
	folder, err = os.MkdirTemp("", "sluice-status-")
	return folder, func() { _ = os.RemoveAll(folder) }, err //nolint:errcheck // the system tidies its temporary folder
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

func readKeys(file string) (record.Keyring, error) {
	if file == "" {
		return record.Keyring{}, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return record.Keyring{}, fmt.Errorf("--keys: %w", err)
	}
	keys, err := record.ParseKeyring(data)
	if err == nil && keys.Empty() { // or nobody would know that nothing was checked
		err = fmt.Errorf("--keys: %s has no key", file)
	}
	return keys, err
}

// address finds the repository and how to get in: the folder's remote origin, with the user and password of its
// address where it has some, else --repository and --credentials.
func (f notesFlags) address() (string, func() (gitsource.Credentials, error), error) {
	address := f.repository
	if info, err := os.Stat(address); err == nil && info.IsDir() {
		origin, err := originOf(address)
		if err != nil {
			return "", nil, hinted{err, "sluice status --repo URL"}
		}
		address = origin
	}
	address, found := apart(address)
	switch {
	case f.credentials != "":
		return address, func() (gitsource.Credentials, error) {
			values, err := config.LoadCredentials(f.credentials)
			return gitsource.CredentialsFrom(values), err
		}, nil
	case found.Username == "":
		return address, nil, nil
	}
	return address, func() (gitsource.Credentials, error) { return found, nil }, nil
}

// apart takes the login out of an address over HTTP.
func apart(address string) (string, gitsource.Credentials) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.User == nil || !strings.HasPrefix(parsed.Scheme, "http") {
		return address, gitsource.Credentials{} // scp-like addresses are no URLs; gitsource judges them
	}
	password, _ := parsed.User.Password()
	found := gitsource.Credentials{Username: parsed.User.Username(), Password: gitsource.NewSecret(password)}
	parsed.User = nil
	return parsed.String(), found
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
