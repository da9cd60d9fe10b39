// Command sluice is a pull-based GitOps agent and the command line that goes with it.
//
// Exit status: 0 done, 1 failed, 2 used wrongly, 3 differences found.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/render/worker"
)

// The exit statuses.
const (
	exitFailed      = 1
	exitUsage       = 2
	exitDifferences = 3
)

// errDifferences is no failure: differences were found, and the exit status was asked to tell.
var errDifferences = errors.New("differences were found")

func main() {
	worker.Main() // never returns in a process that an agent renders in
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run carries out one command line and returns the exit status. Data goes to stdout, talk to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, closeRenderer := withRenderer(ctx)
	defer closeRenderer()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if errors.Is(err, errDifferences) {
		return exitDifferences
	}
	fmt.Fprintln(stderr, "Error:", err)
	var hint hinted
	if errors.As(err, &hint) {
		fmt.Fprintln(stderr, "Try:", hint.try)
	}
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "sluice",
		Short: "A pull-based GitOps agent: what Git says is what runs",
		Long: `Sluice brings Kubernetes clusters to what Git says, and writes what became of it back to the commits.

Exit status: 0 done, 1 failed, 2 used wrongly, 3 differences found.`,
		Args:          arguments(cobra.NoArgs), // which makes an unknown command a usage error
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return hinted{usageError{err}, cmd.CommandPath() + " --help"}
	})
	root.AddCommand(agentCommand(), renderCommand(), lockCommand(), diffCommand(), planCommand(), validateCommand(), statusCommand(), historyCommand(), verifyCommand(),
		metricsCommand(), promoteCommand(), approveCommand(), rollbackCommand(), pauseCommand(), resumeCommand(), windowsCommand(), reconcileCommand(), dashboardCommand(), versionCommand())
	return root
}

// usageError is a command line that makes no sense.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// hinted is an error with the next move.
type hinted struct {
	error
	try string
}

func (h hinted) Unwrap() error { return h.error }

// arguments turns cobra's complaints about positional arguments into usage errors.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return hinted{usageError{err}, cmd.CommandPath() + " --help"}
		}
		return nil
	}
}
