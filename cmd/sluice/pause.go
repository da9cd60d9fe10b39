package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/reconciler/config"
)

type pauseFlags struct {
	prepareFlags
	reason string
}

func pauseCommand() *cobra.Command {
	var flags pauseFlags
	cmd := &cobra.Command{
		Use:   "pause APP ENV --reason TEXT",
		Short: "Prepare the commit that stops every change in an environment",
		Long: `Writes paused: true into the release file beside sluice.yaml, shows the difference, and commits that file alone, by git and on
the branch of this folder, with the reason. Nothing is pushed without --push or --request.

Once the agent has it, nothing is applied, repaired, staged, taken back or deleted there, and nothing is promoted to it; what
runs goes on running. sluice resume ends it.` + ledgerHelp,
		Example: "  sluice pause shop production --reason \"incident 4711\" --push",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.TrimSpace(flags.reason) == "" {
				return hinted{usageError{errors.New("--reason is required: the commit tells it")}, "sluice pause APP ENV --reason TEXT"}
			}
			return setPaused(cmd, flags, args, true)
		},
	}
	flags.addAll(cmd)
	return cmd
}

func resumeCommand() *cobra.Command {
	var flags pauseFlags
	cmd := &cobra.Command{
		Use:   "resume APP ENV",
		Short: "Prepare the commit that ends a pause",
		Long: `Writes paused: false into the release file beside sluice.yaml where it was paused, shows the difference, and commits that file
alone, by git and on the branch of this folder. Nothing is pushed without --push or --request. What Git asks for then begins.` + ledgerHelp,
		Example: "  sluice resume shop production --push",
		Args:    arguments(cobra.ExactArgs(2)),
		RunE:    func(cmd *cobra.Command, args []string) error { return setPaused(cmd, flags, args, false) },
	}
	flags.addAll(cmd)
	return cmd
}

func (f *pauseFlags) addAll(cmd *cobra.Command) {
	f.add(cmd)
	f.addPush(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; it is told in the commit")
}

func setPaused(cmd *cobra.Command, flags pauseFlags, args []string, paused bool) error {
	ctx := cmd.Context()
	desk, err := openDesk(ctx, flags.prepareFlags, args)
	if err != nil {
		return err
	}
	defer desk.close()
	if !paused && desk.env.State == config.Paused {
		return fmt.Errorf("sluice.yaml pauses %s, by state: paused; take that out", desk.environment)
	}
	of, done, err := desk.notesFlags().open()
	if err != nil {
		return err
	}
	defer done()
	if err := desk.upToDate(ctx, of, ""); err != nil {
		return err
	}
	verb, already := "Pause", "pauses "+desk.environment
	if !paused {
		verb, already = "Resume", "lets "+desk.environment+" go on"
	}
	message := fmt.Sprintf("%s %s in %s\n", verb, args[0], args[1])
	if reason := strings.TrimSpace(printable(flags.reason)); reason != "" {
		message += "\n" + reason + "\n"
	}
	return desk.prepare(cmd, edition{
		edit:    func(file string, before []byte) ([]byte, error) { return config.Pause(file, before, paused) },
		message: message, already: already,
	})
}
