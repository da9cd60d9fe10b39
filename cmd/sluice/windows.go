package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
)

type windowsFlags struct {
	dir, ledger, agent, at, output string
	next                           int
}

// environmentWindows is when changes may begin in one environment: what `windows -o json` prints. It is a contract.
type environmentWindows struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
	Open        bool   `json:"open"`
	// Reason is why it is closed, and Override by whose word it is open all the same.
	Reason   string   `json:"reason,omitempty"`
	Override string   `json:"override,omitempty"`
	Windows  []string `json:"windows"`
	Next     []turn   `json:"next"`
}

// turn is when the windows begin to let changes begin, or cease to.
type turn struct {
	At   time.Time `json:"at"`
	Open bool      `json:"open"`
	text string
}

func windowsCommand() *cobra.Command {
	var flags windowsFlags
	cmd := &cobra.Command{
		Use:   "windows [APP [ENV]]",
		Short: "Show when changes may begin, now and next",
		Long: `Reads each sluice.yaml of the folder, at any depth, with the release files beside it or in a ledger, and shows of every environment whether
changes may begin there now, and when that is otherwise the next times. No cluster is asked.

Windows of agent.yaml, which bind everybody, are known by --agent FILE. An override counts for now; what comes next is by
the windows alone.`,
		Example: "  sluice windows\n  sluice windows shop production --agent agent.yaml --at 2026-12-24T08:00:00Z -o json",
		Args:    arguments(cobra.MaximumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			now, err := flags.now()
			if err != nil {
				return err
			}
			rules, err := bindings(flags.agent)
			if err != nil {
				return err
			}
			rows, err := readWindows(flags, rules, now, args)
			if err != nil {
				return err
			}
			return printWindows(cmd.OutOrStdout(), flags.output, rows)
		},
	}
	cmd.Flags().StringVarP(&flags.dir, "directory", "C", ".", "folder with a sluice.yaml, or with folders that have one")
	ledgerFlag(cmd, &flags.ledger)
	cmd.Flags().StringVar(&flags.agent, "agent", "", "agent.yaml, whose windows count too")
	cmd.Flags().StringVar(&flags.at, "at", "", "another time than now, such as 2026-12-24T08:00:00Z")
	cmd.Flags().IntVar(&flags.next, "next", 4, "how many of the next times are shown, 1 to 100")
	outputFlag(cmd, &flags.output, "text", "json")
	return cmd
}

func (f windowsFlags) now() (time.Time, error) {
	if f.next < 1 || f.next > 100 {
		return time.Time{}, hinted{usageError{fmt.Errorf("--next must be 1 to 100 (got %d)", f.next)}, "sluice windows --next 4"}
	}
	return timeOf(f.at, "sluice windows")
}

// timeOf is the time that --at of a command names, or now.
func timeOf(at, command string) (time.Time, error) {
	if at == "" {
		return time.Now(), nil
	}
	var moment config.Moment
	if err := moment.UnmarshalText([]byte(at)); err != nil {
		return time.Time{}, hinted{usageError{fmt.Errorf("--at %s: %w", at, err)}, command + " --at 2026-12-24T08:00:00Z"}
	}
	return moment.Std(), nil
}

// bindings reads agent.yaml for what binds everybody; nil where no file is named.
func bindings(file string) (*config.Agent, error) {
	if file == "" {
		return nil, nil
	}
	return config.LoadAgent(file)
}

// readWindows looks at the environments that the arguments name.
func readWindows(flags windowsFlags, rules *config.Agent, now time.Time, args []string) ([]environmentWindows, error) {
	files, err := filesToValidate([]string{flags.dir})
	if err != nil {
		return nil, err
	}
	rows := []environmentWindows{}
	for _, file := range files {
		if filepath.Base(file) != config.FileName {
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		app, faults := config.ParseApplication(file, data)
		if err := faults.Err(); err != nil {
			return nil, hinted{err, "sluice validate " + flags.dir}
		}
		for _, env := range app.Environments {
			if len(args) > 0 && app.Metadata.Name != args[0] || len(args) > 1 && env.Name != args[1] {
				continue
			}
			p, err := windowPlan(rules, app, env, flags.wordsAt(app, filepath.Dir(file)))
			if err != nil {
				return nil, err
			}
			rows = append(rows, windowsOf(app.Metadata.Name, env.Name, p, now, flags.next))
		}
	}
	if len(rows) == 0 {
		return nil, hinted{fmt.Errorf("no environment of that name in %s", flags.dir), "sluice windows"}
	}
	return rows, nil
}

// wordsAt is the folder that an application's release files are under.
func (f windowsFlags) wordsAt(app *config.Application, dir string) string {
	if f.ledger == "" {
		return dir
	}
	root, of := inLedger(f.ledger, app)
	return filepath.Join(root, filepath.FromSlash(of))
}

// windowPlan is what the files say of windows.
func windowPlan(rules *config.Agent, app *config.Application, env config.Environment, dir string) (policies.Plan, error) {
	words, _, err := config.LoadRelease(os.DirFS(dir), ".", env.Name, env.Was)
	return policies.Plan{Windows: reconciler.WindowsOf(rules, app.Metadata.Name, env), Override: reconciler.OverrideOf(words)}, err
}

func windowsOf(application, environment string, p policies.Plan, now time.Time, most int) environmentWindows {
	at := p.Openness(now)
	row := environmentWindows{
		Application: application, Environment: environment, Open: at.Open, Reason: at.Reason, Override: at.Override,
		Windows: []string{}, Next: []turn{},
	}
	for _, w := range p.Windows {
		row.Windows = append(row.Windows, w.Text())
	}
	for _, next := range policies.Turns(p.Windows, now, most) {
		open := policies.OpenAt(p.Windows, next).Open
		row.Next = append(row.Next, turn{At: next.UTC(), Open: open, text: policies.Clock(next, p.Windows[len(p.Windows)-1].Zone)})
	}
	return row
}

func printWindows(out io.Writer, format string, rows []environmentWindows) error {
	if format == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(rows)
	}
	for _, r := range rows {
		state := "open"
		switch {
		case len(r.Windows) == 0:
			state = "open at any time"
		case r.Override != "":
			state += ", " + r.Override
		case !r.Open:
			state = "closed"
		}
		fmt.Fprintf(out, "%s/%s: %s\n", r.Application, r.Environment, state)
		for _, w := range r.Windows {
			fmt.Fprintf(out, "  %s\n", w)
		}
		for _, next := range r.Next {
			word := "closes"
			if next.Open {
				word = "opens "
			}
			fmt.Fprintf(out, "    %s  %s\n", word, next.text)
		}
		if len(r.Windows) > 0 && len(r.Next) == 0 {
			fmt.Fprintln(out, "    nothing of it changes within a year")
		}
	}
	return nil
}
