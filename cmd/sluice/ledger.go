package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// remotes are the repository with the applications, and the one with what is written about them: the same, but for --ledger.
type remotes struct {
	code, ledger *gitsource.Repository
	// unread is why there is no code: of a ledger alone much can be told.
	unread error
}

// openRemotes opens both through mirrors that done removes.
func openRemotes(flags statusFlags) (r remotes, done func(), err error) {
	if r.ledger, done, err = openRemote(flags.ofLedger()); err != nil {
		return r, nil, err
	}
	if r.code = r.ledger; flags.ledger == "" {
		return r, done, nil
	}
	code := flags
	if address, _, err := notesAddress(statusFlags{repository: flags.repository}); err == nil && hostOf(address) != hostOf(r.ledger.URL()) {
		code.credentials = "" // they are the ledger's
	}
	var closeCode func()
	if r.code, closeCode, r.unread = openRemote(code); r.unread != nil {
		return r, done, nil
	}
	closeLedger := done
	return r, func() { closeCode(); closeLedger() }, nil
}

// ofLedger are the flags of where the notes are.
func (f statusFlags) ofLedger() statusFlags {
	if f.ledger != "" {
		f.repository, f.ledger = f.ledger, ""
	}
	return f
}

// hostOf is the host of an address, be it a URL or scp-like.
func hostOf(address string) string {
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		return parsed.Host
	}
	host, _, _ := strings.Cut(address[strings.Index(address, "@")+1:], ":")
	return host
}

// ledgerFlag is that of commands that commit to a ledger.
func ledgerFlag(cmd *cobra.Command, folder *string) {
	cmd.Flags().StringVar(folder, "ledger", "", "folder of a clone of the ledger, where the agent has one: release file and notes are there")
}

// releaseFile is the path of an environment's release file: beside sluice.yaml, or in a clone of the ledger.
func releaseFile(dir, ledger string, app *config.Application, environment string) string {
	if ledger != "" {
		root := ledger
		if abs, err := filepath.Abs(ledger); err == nil && repositoryRoot(abs) != abs {
			root = repositoryRoot(abs)
		}
		dir = filepath.Join(root, config.LedgerDir(os.DirFS(root), app.Metadata.Name, app.Was))
	}
	return filepath.Join(dir, filepath.FromSlash(config.ReleasePath(environment)))
}

// orDir is the folder whose clone is committed to.
func orDir(ledger, dir string) string {
	if ledger != "" {
		return ledger
	}
	return dir
}
