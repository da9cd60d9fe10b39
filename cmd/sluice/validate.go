package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render"
)

type validateFlags struct {
	output, agent string
	forge         bool
	clusterFlags
}

func validateCommand() *cobra.Command {
	var flags validateFlags
	cmd := &cobra.Command{
		Use:   "validate [FILE|FOLDER]...",
		Short: "Check agent.yaml, sluice.yaml and release files",
		Long: `Checks files of all kinds and prints every fault with its line and path. A folder stands for each sluice.yaml
in it, at any depth, and the release files beside them. Without an argument: this folder.

Release files are told by their place: releases/ENVIRONMENT.yaml beside sluice.yaml.

Of the charts that the environments of a sluice.yaml are rendered from, templates are noted that read .Release.IsInstall,
IsUpgrade or Revision, which are always those of a first installation, and objects that get the order of a map.

With --forge no files are checked but agent.yaml: of each repository that has a forge, the credentials are tried for the
rights that an agent needs there, and those that are missing are named. Nothing is changed. Credentials in Secrets are read
with --kubeconfig or --context, by your own rights.`,
		Example: "  sluice validate\n  sluice validate agent.yaml apps/\n  sluice validate --forge --agent agent.yaml",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case flags.forge && len(args) > 0:
				return hinted{usageError{errors.New("--forge takes no files")}, "sluice validate --forge --agent " + args[0]}
			case flags.forge:
				return validateForges(cmd, flags)
			case flags.clusterFlags.named() || cmd.Flags().Changed("agent"):
				return hinted{usageError{errors.New("--agent, --kubeconfig and --context are for --forge")}, "sluice validate --forge"}
			}
			if len(args) == 0 {
				args = []string{"."}
			}
			files, err := filesToValidate(args)
			if err != nil {
				return err
			}
			var faults config.Faults
			notes := []chartNote{}
			for _, file := range files {
				found := validateFile(cmd.Context(), file)
				if faults = append(faults, found...); len(found) == 0 && filepath.Base(file) == config.FileName {
					notes = append(notes, chartNotes(cmd.Context(), file)...)
				}
			}
			return reportFaults(cmd, flags.output, len(files), faults, notes)
		},
	}
	cmd.Flags().BoolVar(&flags.forge, "forge", false, "try the rights that the credentials have at the forges")
	cmd.Flags().StringVar(&flags.agent, "agent", "agent.yaml", "agent.yaml, for --forge")
	flags.clusterFlags.add(cmd)
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func reportFaults(cmd *cobra.Command, output string, files int, faults config.Faults, notes []chartNote) error {
	if output == "json" {
		if faults == nil {
			faults = config.Faults{}
		}
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"files": files, "faults": faults, "notes": notes}); err != nil {
			return err
		}
	} else {
		for _, f := range faults {
			fmt.Fprintln(cmd.OutOrStdout(), f.Error())
		}
		for _, n := range notes {
			fmt.Fprintf(cmd.OutOrStdout(), "note: %s\n", n)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("faults: %d, in files: %d", len(faults), files)
	}
	if output != "json" {
		fmt.Fprintf(cmd.ErrOrStderr(), "Valid: %d\n", files)
	}
	return nil
}

// filesToValidate lists the files that the arguments stand for.
func filesToValidate(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			files = append(files, arg)
			continue
		}
		found, err := applicationFiles(arg)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, hinted{fmt.Errorf("no sluice.yaml in %s", strings.Join(args, ", ")), "sluice validate FILE"}
	}
	return files, nil
}

func applicationFiles(root string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.Name() != "sluice.yaml":
			return nil
		}
		files = append(files, name)
		releases, err := filepath.Glob(filepath.Join(filepath.Dir(name), "releases", "*.yaml"))
		files = append(files, releases...)
		return err
	})
	return files, err
}

// validateFile parses a file as what its kind says. A release file, which has none, is told by its folder, and a file
// without a kind that should have one by its name.
func validateFile(ctx context.Context, file string) config.Faults {
	data, err := os.ReadFile(file)
	if err != nil {
		return config.Faults{{File: file, Message: err.Error()}}
	}
	var kind struct {
		Kind string `json:"kind"`
	}
	isRelease := filepath.Base(filepath.Dir(file)) == "releases"
	if !isRelease {
		_ = yaml.Unmarshal(data, &kind) //nolint:errcheck // what does not parse is reported by the parser below
	}
	switch {
	case kind.Kind == config.KindAgent || kind.Kind == "" && strings.HasPrefix(filepath.Base(file), "agent"):
		_, err = config.ParseAgent(file, data)
	case isRelease:
		_, err = config.ParseRelease(file, data)
	case kind.Kind == config.KindLock || kind.Kind == "" && filepath.Base(file) == render.LockFile:
		_, err = config.ParseLock(file, data)
	default:
		app, faults := config.ParseApplication(file, data)
		if len(faults) > 0 || filepath.Base(file) != config.FileName {
			return faults
		}
		return validateLock(ctx, file, app)
	}
	return faultsOf(file, err)
}
