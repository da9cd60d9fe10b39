package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/render/cache"
	"github.com/sluice-cd/sluice/render/worker"
)

type agentFlags struct {
	config, kubeconfig, logLevel, logFormat string
}

func agentCommand() *cobra.Command {
	var flags agentFlags
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent: poll, render, apply, watch, write back",
		Long: `Runs the agent that agent.yaml describes, until it is told to stop (SIGTERM, Ctrl-C).

The agent is in the cluster of its pod; outside of one, --kubeconfig (or KUBECONFIG) names it. A kubeconfig that runs
programs or refers to files is refused.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runAgent(cmd.Context(), cmd.ErrOrStderr(), flags) },
	}
	cmd.Flags().StringVar(&flags.config, "config", "/etc/sluice/agent.yaml", "agent.yaml")
	cmd.Flags().StringVar(&flags.kubeconfig, "kubeconfig", os.Getenv("KUBECONFIG"), "kubeconfig of the agent's own cluster")
	flags.logLevel, flags.logFormat = "info", "json"
	cmd.Flags().Var(&choice{&flags.logLevel, []string{"debug", "info", "warn", "error"}}, "log-level", "debug, info, warn or error")
	cmd.Flags().Var(&choice{&flags.logFormat, []string{"json", "text"}}, "log-format", "json or text")
	return cmd
}

// gcPercent lets the heap grow to three times what is live before garbage is collected. That is some 30 MiB at rest; with
// Go's own 100 a first deployment of 500 applications spends a quarter of its CPU on collections.
const gcPercent = 200

func runAgent(ctx context.Context, stderr io.Writer, flags agentFlags) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log := newLog(stderr, flags)
	rules, err := config.LoadAgent(flags.config)
	if err != nil {
		return err
	}
	unlock, err := lockFolder(rules.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	identity, err := reconciler.Identity(rules.DataDir)
	if err != nil {
		return err
	}
	pool, err := worker.New(worker.Config{
		Processes: rules.Render.Processes, Memory: int64(rules.Render.Memory), Time: rules.Render.Time.Std(), AllowNetwork: rules.Render.AllowNetwork,
		Ahead: true,
	})
	if errors.Is(err, worker.ErrNetwork) {
		return hinted{err, "render: {allowNetwork: true} in " + flags.config + ", if what the repositories have is trusted"}
	}
	if err != nil {
		return err
	}
	defer pool.Close()
	log.Info("Rendering in processes of their own", "limits", pool.String())
	renders, err := cache.Open(cache.Config{Dir: filepath.Join(rules.DataDir, "renders"), Program: program()})
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	agent, err := reconciler.New(reconciler.Config{
		Agent: rules, Kubeconfig: flags.kubeconfig, Identity: identity, Log: log, Registry: registry, Renderer: pool, Renders: renders,
		Version: thisBuild().Version,
	})
	if err != nil {
		return err
	}
	stop, err := serve(rules, agent, registry, log)
	if err != nil {
		return err
	}
	defer stop()
	b := thisBuild()
	log.Info("Agent started", "name", rules.Metadata.Name, "version", b.Version, "buildRevision", b.Revision)
	err = agent.Run(ctx)
	log.Info("Agent stopped")
	return err
}

// newLog makes the process's one logger and hands it to the libraries that log.
func newLog(w io.Writer, flags agentFlags) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(flags.logLevel)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	var handler slog.Handler = slog.NewJSONHandler(w, options)
	if flags.logFormat == "text" {
		handler = slog.NewTextHandler(w, options)
	}
	klog.SetLogger(logr.FromSlogHandler(handler))
	return slog.New(handler)
}

// lockFolder makes sure that no second process uses the same mirrors.
func lockFolder(dir string) (func(), error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock data folder %q: another process uses it", dir), f.Close())
	}
	return func() { _ = f.Close() }, nil //nolint:errcheck // the kernel lets go of the lock
}
