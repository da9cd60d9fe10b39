package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

type dashboardFlags struct {
	git, ledgers, credentials []string

	agent, keys, config, listen, mirrors string
	poll                                 time.Duration
	logLevel, logFormat                  string
}

func dashboardCommand() *cobra.Command {
	var flags dashboardFlags
	cmd := &cobra.Command{
		Use:   "dashboard (--git URL | --agent URL)",
		Short: "Show what runs where, from Git alone or from another process's agent",
		Long: `Serves the dashboard, until it is told to stop (SIGTERM, Ctrl-C). It changes nothing anywhere.

With --git it shows what agents wrote into refs/notes/sluice/*, with no cluster at all: what was reported last, and the history.
--git, --ledger and --credentials may be given several times; the first --ledger is that of the first --git, and so on. One
--credentials alone is for all repositories on the host of the first. With --keys FILE signatures are checked; without it every
line is shown as unverified. While a repository does not answer, the last that is known of it is shown, and since when.

With --agent it shows what the dashboard of a running agent shows, in a process of its own. --credentials is then a folder with
username and password, or token, and ca.crt for an authority of your own.

It listens on loopback. For other addresses --config names an agent.yaml, whose dashboard: says where it listens and who may look;
what that refers to is in folders here (directory:), since no cluster is asked for a Secret.`,
		Example: "  sluice dashboard --git https://git.example.com/team/shop.git --keys sluice.keys\n  sluice dashboard --agent http://127.0.0.1:8090 --listen 127.0.0.1:8091",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := flags.valid(); err != nil {
				return hinted{usageError{err}, "sluice dashboard --help"}
			}
			return runDashboard(cmd.Context(), cmd.ErrOrStderr(), flags)
		},
	}
	cmd.Flags().StringArrayVar(&flags.git, "git", nil, "URL of a repository, or a working folder whose remote origin it is")
	cmd.Flags().StringArrayVar(&flags.ledgers, "ledger", nil, "URL or clone of its ledger, where the agent has one")
	cmd.Flags().StringArrayVar(&flags.credentials, "credentials", nil, "folder with username, password, token, identity, known_hosts or ca.crt")
	cmd.Flags().StringVar(&flags.keys, "keys", "", "file with public keys, one a line")
	cmd.Flags().StringVar(&flags.mirrors, "mirrors", "", "folder that keeps mirrors from one start to the next (default: none does)")
	cmd.Flags().DurationVar(&flags.poll, "poll", 30*time.Second, "how often repositories are asked")
	cmd.Flags().StringVar(&flags.agent, "agent", "", "address of an agent's dashboard")
	cmd.Flags().StringVar(&flags.config, "config", "", "agent.yaml, for its dashboard: alone")
	cmd.Flags().StringVar(&flags.listen, "listen", "", "host:port on loopback (default "+config.DefaultDashboard+", or that of --config)")
	flags.logLevel, flags.logFormat = "info", "text"
	cmd.Flags().Var(&choice{&flags.logLevel, []string{"debug", "info", "warn", "error"}}, "log-level", "debug, info, warn or error")
	cmd.Flags().Var(&choice{&flags.logFormat, []string{"json", "text"}}, "log-format", "json or text")
	return cmd
}

// shortestPoll keeps a typing error from asking a server without a break.
const shortestPoll = time.Second

func (f dashboardFlags) valid() error {
	switch {
	case len(f.git) > 0 == (f.agent != ""):
		return errors.New("one of --git and --agent says what is shown")
	case f.agent != "" && (len(f.ledgers) > 0 || f.keys != "" || f.mirrors != ""):
		return errors.New("--ledger, --keys and --mirrors are for --git")
	case f.agent != "" && len(f.credentials) > 1:
		return errors.New("--agent has one --credentials")
	case len(f.ledgers) > 0 && len(f.ledgers) != len(f.git):
		return fmt.Errorf("--ledger must be given once for each --git, or not at all (got %d for %d)", len(f.ledgers), len(f.git))
	case len(f.credentials) > 1 && len(f.credentials) != len(f.git):
		return fmt.Errorf("--credentials must be given once, or once for each --git (got %d for %d)", len(f.credentials), len(f.git))
	case f.poll < shortestPoll:
		return fmt.Errorf("--poll must be at least %s (got %s)", shortestPoll, f.poll)
	case f.config == "" && f.listen != "" && !onLoopback(f.listen):
		return fmt.Errorf("--listen must be on loopback, as %s (got %q): for other addresses --config says who may look", config.DefaultDashboard, f.listen)
	}
	return nil
}

// onLoopback reports whether only this machine can connect to an address.
func onLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// repositories are those of --git, each with its own ledger and credentials.
func (f dashboardFlags) repositories() (all []notesFlags) {
	first := ""
	for i, repository := range f.git {
		of := notesFlags{repository: repository, keys: f.keys, mirrors: f.mirrors}
		if len(f.ledgers) > 0 {
			of.ledger = f.ledgers[i]
		}
		host := ""
		if address, _, err := of.address(); err == nil {
			host = hostOf(address)
		}
		switch {
		case i == 0:
			first = host
			fallthrough
		case len(f.credentials) == 1 && host == first:
			of.credentials = append(f.credentials, "")[0]
		case len(f.credentials) > 1:
			of.credentials = f.credentials[i]
		}
		all = append(all, of)
	}
	return all
}

func runDashboard(ctx context.Context, stderr io.Writer, flags dashboardFlags) error {
	log := newLog(stderr, agentFlags{logLevel: flags.logLevel, logFormat: flags.logFormat})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	rules, err := flags.rules()
	if err != nil {
		return err
	}
	source, run, err := flags.source()
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { defer close(done); run(ctx) }()
	defer func() { stop(); <-done }()
	made := dashboard.Config{Source: source, Title: rules.Title, Links: linksOf(rules.Links), Log: log}
	if err := guard(&made, rules, fromFolder, log); err != nil {
		return err
	}
	server, err := dashboard.New(made)
	if err != nil {
		return err
	}
	stopListening, err := listenLong(ctx, rules.Listen, server, log)
	if err != nil {
		return err
	}
	defer stopListening()
	log.Info("Dashboard started", "address", "http://"+rules.Listen)
	<-ctx.Done()
	log.Info("Dashboard stopped")
	return nil
}

// rules are those of --config, or without it those of this machine alone.
func (f dashboardFlags) rules() (config.Dashboard, error) {
	rules := config.Dashboard{Listen: config.DefaultDashboard}
	if f.config != "" {
		agent, err := config.LoadAgent(f.config)
		if err != nil {
			return rules, err
		}
		rules = agent.Dashboard
	}
	if f.listen != "" {
		rules.Listen = f.listen
	}
	switch {
	case rules.Listen == "none":
		return rules, hinted{fmt.Errorf("%s turns the dashboard off", f.config), "sluice dashboard --config FILE --listen HOST:PORT"}
	case rules.Access == nil && !onLoopback(rules.Listen):
		return rules, hinted{fmt.Errorf("%s does not say who may look, and others can reach %q", f.config, rules.Listen), "sluice validate " + f.config}
	}
	return rules, nil
}

// source is what is shown, and what keeps it so until its context ends.
func (f dashboardFlags) source() (view.Source, func(context.Context), error) {
	if f.agent != "" {
		agent, err := newRemote(f.agent, append(f.credentials, "")[0], time.Now)
		if err != nil {
			return nil, nil, hinted{err, "sluice dashboard --help"}
		}
		return agent, agent.run, nil
	}
	unlock := func() {}
	if f.mirrors != "" {
		var err error
		if unlock, err = lockFolder(f.mirrors); err != nil {
			return nil, nil, err
		}
	}
	notes, err := newFromNotes(f.repositories(), time.Now)
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return notes, func(ctx context.Context) { notes.run(ctx, f.poll); notes.close(); unlock() }, nil
}
