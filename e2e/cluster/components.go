package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // a CronJob's time zone must work where the machine has none

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as the real programs have them
	_ "k8s.io/component-base/metrics/prometheus/version"  // version metric, likewise
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
	"sigs.k8s.io/kwok/pkg/utils/signals"
)

// The names that the binary answers to besides its own.
const (
	etcdName      = "etcd"
	apiserverName = "kube-apiserver"
	managerName   = "kube-controller-manager"
	schedulerName = "kube-scheduler"
	kwokName      = "kwok"
)

// runAs runs the program called name with os.Args and returns its exit code. ok is false for a name that
// is no component.
func runAs(name string) (code int, ok bool) {
	switch name {
	case etcdName:
		etcdmain.Main(os.Args) // ends the process itself on an error
		return 0, true
	case apiserverName:
		return cli.Run(apiserver.NewAPIServerCommand()), true
	case managerName:
		return cli.Run(manager.NewControllerManagerCommand()), true
	case schedulerName:
		return cli.Run(scheduler.NewSchedulerCommand()), true
	case kwokName:
		return report(kwokName, runKwok(signals.SetupSignalContext())), true
	}
	return 0, false
}

// runKwok does what kwok's own main function does: the configuration is read before the command exists,
// since the command's defaults come from it.
func runKwok(ctx context.Context) error {
	forgetFlags()
	flags := pflag.NewFlagSet("global", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	ctx, _ = kwoklog.InitFlags(ctx, flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	cmd := kwok.NewCommand(ctx)
	cmd.PersistentFlags().AddFlagSet(flags)
	return cmd.ExecuteContext(ctx)
}

// forgetFlags takes away the process's flags. Kubernetes' packages put theirs among them when they are loaded,
// and cobra gives all of them to every command.
func forgetFlags() { pflag.CommandLine = pflag.NewFlagSet(os.Args[0], pflag.ContinueOnError) }

// report prints err, if there is one, the way every command of this binary does.
func report(name string, err error) int {
	if err == nil || errors.Is(err, context.Canceled) {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return 1
}
