package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/sluice-cd/sluice/reconciler"
)

type reconcileFlags struct {
	verify    bool
	namespace string
	clusterFlags
}

func reconcileCommand() *cobra.Command {
	var flags reconcileFlags
	cmd := &cobra.Command{
		Use:   "reconcile APP ENV",
		Short: "Ask the agent for a pass now",
		Long: `Asks the agent to poll and to make a pass over one environment now, by an annotation on its state Secret, with your own
kubeconfig and rights. Any back-off ends. With --verify every object is compared with the cluster, whether a watch
reported anything or not.`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			key := reconciler.Key{Application: args[0], Environment: args[1]}
			if err := askFor(cmd.Context(), key, flags); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Asked for a pass over %s\n", key)
			return nil
		},
	}
	cmd.Flags().BoolVar(&flags.verify, "verify", false, "compare every object with the cluster")
	cmd.Flags().StringVarP(&flags.namespace, "state-namespace", "n", "sluice-system", "namespace of the agent's state")
	flags.clusterFlags.add(cmd)
	return cmd
}

func askFor(ctx context.Context, key reconciler.Key, flags reconcileFlags) error {
	conf, err := flags.clusterFlags.rest()
	if err != nil {
		return err
	}
	core, err := typed.NewForConfig(conf)
	if err != nil {
		return err
	}
	asked := time.Now().UTC().Format(time.RFC3339Nano)
	if flags.verify {
		asked = "verify " + asked
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{reconciler.ReconcileAnnotation: asked}}})
	if err != nil {
		return err
	}
	_, err = core.Secrets(flags.namespace).Patch(ctx, reconciler.StateName(key), types.MergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return noState(key, flags.namespace)
	}
	return err
}
