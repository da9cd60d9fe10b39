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
	output, agent, kubeVersion string
	forge, filesAlone          bool
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

Each environment of a valid sluice.yaml is rendered, and its objects are checked against the API of a Kubernetes version: fields
that there are none, wrong types, API versions that are gone or not there yet. This takes no cluster. Kinds that are not
Kubernetes' own are not checked, and neither is what only a server knows, such as which fields are required.

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
			if err := wrongVersion(flags.kubeVersion); err != nil {
				return err
			}
			var all rendered
			for _, file := range files {
				faults := validateFile(cmd.Context(), file)
				all.faults = append(all.faults, faults...)
				if len(faults) > 0 || filepath.Base(file) != config.FileName || flags.filesAlone {
					continue
				}
				found := validateRenders(cmd.Context(), file, flags.kubeVersion)
				all.faults, all.notes = append(all.faults, found.faults...), append(all.notes, found.notes...)
				all.objects, all.foreign = all.objects+found.objects, all.foreign+found.foreign
			}
			return reportFaults(cmd, flags.output, len(files), all)
		},
	}
	cmd.Flags().BoolVar(&flags.forge, "forge", false, "try the rights that the credentials have at the forges")
	cmd.Flags().BoolVar(&flags.filesAlone, "files-alone", false, "render nothing")
	cmd.Flags().StringVar(&flags.kubeVersion, "kube-version", "", "Kubernetes version that charts see and objects are checked against (default: the newest that is known)")
	cmd.Flags().StringVar(&flags.agent, "agent", "agent.yaml", "agent.yaml, for --forge")
	flags.clusterFlags.add(cmd)
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func reportFaults(cmd *cobra.Command, output string, files int, found rendered) error {
	faults, notes := found.faults, found.notes
	if output == "json" {
		if faults == nil {
			faults = config.Faults{}
		}
		if notes == nil {
			notes = []chartNote{}
		}
		if err := json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{
			"files": files, "faults": faults, "notes": notes, "objects": found.objects, "notChecked": found.foreign,
		}); err != nil {
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
		if found.foreign > 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "Not checked, since their kinds are not Kubernetes' own: %d of %d objects\n", found.foreign, found.objects+found.foreign)
		}
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
