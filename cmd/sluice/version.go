package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker at a release; otherwise the module's own build information is shown.
var version = "" //nolint:gochecknoglobals // the linker can set nothing else

type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			b.Revision = s.Value
		}
	}
	return b
}

func versionCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			b := thisBuild()
			if output == "json" {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(b)
			}
			words := slices.DeleteFunc([]string{"sluice", b.Version, b.Revision, b.Go}, func(word string) bool { return word == "" })
			_, err := fmt.Fprintln(cmd.OutOrStdout(), strings.Join(words, " "))
			return err
		},
	}
	outputFlag(cmd, &output, "text", "json")
	return cmd
}
