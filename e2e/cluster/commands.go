package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/e2e/cluster/internal/cluster"
)

// execute runs the command line and returns the exit code: 0 done, 1 failed.
func execute(ctx context.Context) int {
	forgetFlags()
	root := &cobra.Command{
		Use: "devcluster", Short: "Run a Kubernetes control plane for development",
		SilenceUsage: true, SilenceErrors: true,
	}
	root.AddCommand(upCommand(), downCommand(), stopCommand(), startCommand(), kubeconfigCommand(), linksCommand())
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "Error: %v\n", err)
	if errors.Is(err, cluster.ErrNotUp) {
		fmt.Fprintln(os.Stderr, "Try: devcluster up --dir DIR")
	}
	return 1
}

// on makes a command that works on the cluster in --dir.
func on(use, short string, run func(*cobra.Command, *cluster.Cluster) error) *cobra.Command {
	var dir string
	cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs}
	cmd.Flags().StringVar(&dir, "dir", "", "folder of the cluster")
	_ = cmd.MarkFlagRequired("dir") // the flag is there
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := cluster.Open(dir, os.Stderr)
		if err != nil {
			return fmt.Errorf("open cluster: %w", err)
		}
		return errors.Join(run(cmd, c), c.Close())
	}
	return cmd
}

func upCommand() *cobra.Command {
	var config cluster.Config
	cmd := on("up", "Start a cluster, wait until it works, and print the path of its kubeconfig",
		func(cmd *cobra.Command, c *cluster.Cluster) error {
			if err := c.Up(cmd.Context(), config); err != nil {
				return err
			}
			_, err := fmt.Println(c.Kubeconfig())
			return err
		})
	cmd.Flags().IntVar(&config.Port, "port", 0, "port of the API server (0: a free one)")
	cmd.Flags().IntVar(&config.Nodes, "nodes", 4, "number of nodes")
	return cmd
}

func downCommand() *cobra.Command {
	var keepLogs bool
	cmd := on("down", "End a cluster and remove its files", func(_ *cobra.Command, c *cluster.Cluster) error {
		return c.Down(keepLogs)
	})
	cmd.Flags().BoolVar(&keepLogs, "keep-logs", false, "leave audit.log and the components' logs")
	return cmd
}

func stopCommand() *cobra.Command {
	var name string
	cmd := on("stop", "End one component", func(_ *cobra.Command, c *cluster.Cluster) error {
		return c.StopComponent(name)
	})
	componentFlag(cmd, &name)
	return cmd
}

func startCommand() *cobra.Command {
	var name string
	cmd := on("start", "Start one component again", func(cmd *cobra.Command, c *cluster.Cluster) error {
		return c.StartComponent(cmd.Context(), name)
	})
	componentFlag(cmd, &name)
	return cmd
}

func componentFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "component", "", "one of "+strings.Join(cluster.Components(), ", "))
	_ = cmd.MarkFlagRequired("component")
}

func kubeconfigCommand() *cobra.Command {
	var account, out string
	cmd := on("kubeconfig", "Write a kubeconfig with a token of a service account",
		func(cmd *cobra.Command, c *cluster.Cluster) error {
			namespace, name, ok := strings.Cut(account, "/")
			if !ok {
				return fmt.Errorf("service account %q: want NAMESPACE/NAME", account)
			}
			b, err := c.ServiceAccountKubeconfig(cmd.Context(), namespace, name)
			if err != nil {
				return err
			}
			if out == "" {
				_, err = os.Stdout.Write(b)
				return err
			}
			return os.WriteFile(out, b, 0o600)
		})
	cmd.Flags().StringVar(&account, "service-account", "", "the account, as NAMESPACE/NAME")
	_ = cmd.MarkFlagRequired("service-account")
	cmd.Flags().StringVar(&out, "out", "", "file to write (default: standard output)")
	return cmd
}

func linksCommand() *cobra.Command {
	return &cobra.Command{
		Use: "links", Args: cobra.NoArgs,
		Short: "Link the components' names beside this binary and print the folder, for KUBEBUILDER_ASSETS",
		RunE: func(*cobra.Command, []string) error {
			program, err := os.Executable()
			if err != nil {
				return err
			}
			for _, name := range cluster.Components() {
				link := filepath.Join(filepath.Dir(program), name)
				if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
					return err
				}
				if err := os.Symlink(filepath.Base(program), link); err != nil {
					return err
				}
			}
			_, err = fmt.Println(filepath.Dir(program))
			return err
		},
	}
}
