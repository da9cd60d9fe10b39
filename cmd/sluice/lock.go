package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

type lockFlags struct {
	dir, credentials, host string
	check, upgrade, plain  bool
}

func lockCommand() *cobra.Command {
	var flags lockFlags
	cmd := &cobra.Command{
		Use:   "lock [APP]",
		Short: "Write which archives charts from elsewhere are",
		Long: `Writes sluice.lock beside sluice.yaml: for each chart from a registry (oci://) or a chart repository (https://) that a source,
a dependency in a Chart.yaml of this repository, or helmCharts of a kustomization asks for, the version that its range resolved
to, where the archive is, and its digest. Commit the file: agents, and all commands here, deploy only what it says, and a chart
that it does not have is an error. A folder that Git ignores counts as not there, since no commit has it.

What is locked and still asked for stays as it is. With --upgrade every range is resolved anew, to the newest version in it.
With --check nothing is written: the exit status is 3 where something would be.

Hosts are asked with what "helm registry login" or "docker login" left for them, or for one of them with --credentials. The
archives are kept in your cache folder, so that sluice render then needs no network.`,
		Example: "  sluice lock\n  sluice lock --upgrade\n  sluice lock -C apps/shop --check",
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return lock(cmd, flags, args) },
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder of sluice.yaml")
	cmd.Flags().BoolVar(&flags.check, "check", false, "write nothing; exit status 3 where the lock would change")
	cmd.Flags().BoolVar(&flags.upgrade, "upgrade", false, "move to the newest versions within the ranges")
	cmd.Flags().StringVar(&flags.credentials, "credentials", "", "folder with username, password, token or ca.crt")
	cmd.Flags().StringVar(&flags.host, "host", "", "host[:port] that the credentials are for, where more than one is asked")
	cmd.Flags().BoolVar(&flags.plain, "plain-http", false, "ask registries without TLS")
	return cmd
}

func lock(cmd *cobra.Command, flags lockFlags, args []string) error {
	ctx := cmd.Context()
	place, err := locate(ctx, flags.dir, "")
	if err != nil {
		return err
	}
	defer place.close()
	app, faults := config.Load(place.tree, place.dir)
	switch {
	case app == nil:
		return hinted{faults, "sluice lock -C FOLDER, where FOLDER has a sluice.yaml"}
	case len(faults) > 0:
		return faults
	case len(args) == 1 && app.Metadata.Name != args[0]:
		return fmt.Errorf("sluice.yaml is application %q, not %q", app.Metadata.Name, args[0])
	}
	needs, err := elsewhere.Needs(ctx, withoutIgnored(ctx, place.tree, flags.dir), place.dir, app)
	if err != nil {
		return err
	}
	before, err := config.LoadLock(place.tree, place.dir)
	if err != nil {
		return hinted{err, "remove sluice.lock, and sluice lock"}
	}
	access, err := flags.access(needs)
	if err != nil {
		return err
	}
	store, err := chartStore()
	if err != nil {
		return err
	}
	after, err := elsewhere.Resolver{Server: access.server, Upgrade: flags.upgrade, Keep: func(archive []byte) error {
		_, err := store.Put(archive)
		return err
	}}.Resolve(ctx, before, needs)
	if err != nil {
		return err
	}
	return writeLock(cmd, filepath.Join(flags.dir, render.LockFile), after, flags.check)
}

// access is how the hosts of the needs are asked.
func (f lockFlags) access(needs []render.Elsewhere) (chartAccess, error) {
	access := chartAccess{host: f.host, plain: f.plain}
	if f.credentials == "" {
		if f.host != "" {
			return access, hinted{usageError{errors.New("--host is for --credentials")}, "sluice lock --credentials FOLDER --host " + f.host}
		}
		return access, nil
	}
	values, err := config.LoadCredentials(f.credentials)
	if err != nil {
		return access, err
	}
	access.given = gitsource.CredentialsFrom(values)
	var hosts []string
	for _, e := range needs {
		if u, err := url.Parse(e.Repository); err == nil && !slices.Contains(hosts, u.Host) {
			hosts = append(hosts, u.Host)
		}
	}
	if access.host == "" && len(hosts) > 1 && (access.given.Username != "" || !access.given.Token.Empty()) {
		return access, hinted{
			usageError{fmt.Errorf("charts are on %s: say with --host whom the credentials are for", strings.Join(hosts, ", "))},
			"sluice lock --credentials " + f.credentials + " --host " + hosts[0],
		}
	}
	if access.host == "" && len(hosts) == 1 {
		access.host = hosts[0]
	}
	return access, nil
}

// writeLock writes the file where it changes, and shows how. A lock that has nothing is no file.
func writeLock(cmd *cobra.Command, file string, lock config.Lock, check bool) error {
	var text []byte
	if len(lock.Charts) > 0 {
		var err error
		if text, err = lock.Text(); err != nil {
			return err
		}
	}
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if string(before) == string(text) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s is as it should be; charts from elsewhere: %d\n", file, len(lock.Charts))
		return nil
	}
	fmt.Fprint(cmd.OutOrStdout(), difference(file, string(before), string(text)))
	switch {
	case check:
		return errDifferences
	case len(text) == 0:
		err = os.Remove(file)
	default:
		err = replaceFile(file, text)
	}
	if err == nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "Wrote %s\nTry: git add %s && git commit\n", file, file)
	}
	return err
}

// replaceFile writes a file whole or not at all.
func replaceFile(file string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".sluice.lock-")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if errClose := f.Close(); err == nil {
		err = errClose
	}
	if err == nil {
		err = os.Chmod(f.Name(), 0o644) //nolint:gosec // a file of the repository, for everybody
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name()) //nolint:errcheck // the first error says more
	}
	return err
}
