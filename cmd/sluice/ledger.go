package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/promote"
)

// remotes are the repository with the applications, and the one with what is written about them: the same, but for --ledger.
type remotes struct {
	code, ledger *gitsource.Repository
	// unread is why there is no code: of a ledger alone much can be told.
	unread error
}

// open opens both through mirrors that done removes.
func (f notesFlags) open() (r remotes, done func(), err error) {
	code, ledger := f, f
	code.ledger, ledger.ledger, ledger.repository = "", "", f.ledger
	if f.ledger == "" {
		r.code, done, err = code.mirror()
		r.ledger = r.code
		return r, done, err
	}
	if r.ledger, done, err = ledger.mirror(); err != nil {
		return r, nil, err
	}
	if address, _, err := code.address(); err == nil && hostOf(address) != hostOf(r.ledger.URL()) {
		code.credentials = "" // they are the ledger's
	}
	var closeCode func()
	if r.code, closeCode, r.unread = code.mirror(); r.unread != nil {
		return r, done, nil
	}
	closeLedger := done
	return r, func() { closeCode(); closeLedger() }, nil
}

// hostOf is the host of an address, be it a URL or scp-like.
func hostOf(address string) string {
	if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
		return parsed.Host
	}
	host, _, _ := strings.Cut(address[strings.Index(address, "@")+1:], ":")
	return host
}

// ledgerFlag is that of commands that read a release file, or commit to it.
func ledgerFlag(cmd *cobra.Command, folder *string) {
	cmd.Flags().StringVar(folder, "ledger", "", "folder of a clone of the ledger, where the agent has one: release file and notes are there")
}

// ledgerHelp is what the commands that prepare a commit say of it.
const ledgerHelp = `

Where the agent keeps a ledger, --ledger names a clone of it: notes and release file are there, and the commit is made there.`

// inLedger is the top of the clone that a folder is in, and the folder with an application's release files there.
func inLedger(folder string, app *config.Application) (root, dir string) {
	root = folder
	if abs, err := filepath.Abs(folder); err == nil && repositoryRoot(abs) != abs {
		root = repositoryRoot(abs)
	}
	return root, config.LedgerDir(os.DirFS(root), app.Metadata.Name, app.Was)
}

// clones are the working clones that a command is about: that of its folder, and the one with the release files: the same, but
// for --ledger.
type clones struct{ code, ledger *clone }

func openClones(ctx context.Context, dir, ledger string) (c clones, err error) {
	if c.code, err = openClone(ctx, dir); err != nil || ledger == "" {
		return clones{c.code, c.code}, err
	}
	if c.ledger, err = openClone(ctx, ledger); err == nil {
		c.ledger.named = ledger
	}
	return c, err
}

// words are an environment's release file: beside sluice.yaml, or in a clone of the ledger.
func (p checkout) words(ledger string, app *config.Application, env *config.Environment) (config.Release, error) {
	tree, dir := fs.FS(p.tree), p.dir
	if ledger != "" {
		var root string
		root, dir = inLedger(ledger, app)
		tree = os.DirFS(root)
	}
	words, _, err := config.LoadRelease(tree, dir, env.Name, env.Was)
	return words, err
}

// promoted is where the pins of an application are moved, as its server has it; nil: beside the code.
func (n *notes) promoted(ctx context.Context, in clones, app *config.Application) (*promote.Ledger, error) {
	if n.ledger == n.code {
		return nil, nil
	}
	ref := "refs/heads/" + in.ledger.branch
	refs, err := n.ledger.Fetch(ctx, ref)
	if err != nil {
		return nil, err
	}
	if refs[ref] == "" {
		return nil, fmt.Errorf("origin of the ledger has no branch %s", in.ledger.branch)
	}
	tree, err := n.ledger.Tree(refs[ref])
	if err != nil {
		return nil, err
	}
	return &promote.Ledger{Git: n.ledger, Branch: in.ledger.branch, Tip: refs[ref], Dir: config.LedgerDir(tree, app.Metadata.Name, app.Was)}, nil
}
