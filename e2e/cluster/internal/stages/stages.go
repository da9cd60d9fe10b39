package stages

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kwok/kustomize/stage/node/fast"
	"sigs.k8s.io/kwok/kustomize/stage/node/heartbeat"
	configv1alpha1 "sigs.k8s.io/kwok/pkg/apis/config/v1alpha1"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"
)

// Config writes the configuration file for kwok: its settings, what nodes and pods do, and that every
// container's log is the file logs, whose lines have the format of the container runtime interface.
func Config(logs string) ([]byte, error) {
	docs := []string{fast.DefaultNodeInit, heartbeat.DefaultNodeHeartbeat}
	objects := []any{settings(), clusterLogs(logs)}
	for _, p := range pods() {
		objects = append(objects, p.stage())
	}
	for _, o := range objects {
		b, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("write kwok configuration: %w", err)
		}
		docs = append(docs, string(b))
	}
	return []byte(strings.Join(docs, "---\n")), nil
}

// settings lets more pods move at once than kwok's four, so that a benchmark measures the agent.
func settings() configv1alpha1.KwokConfiguration {
	c := configv1alpha1.KwokConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: configv1alpha1.GroupVersion.String(), Kind: configv1alpha1.KwokConfigurationKind},
		Options:  configv1alpha1.KwokConfigurationOptions{PodPlayStageParallelism: 16},
	}
	configv1alpha1.SetObjectDefaults_KwokConfiguration(&c) // kwok does so only where no configuration is given
	return c
}

func clusterLogs(file string) v1alpha1.ClusterLogs {
	return v1alpha1.ClusterLogs{
		TypeMeta:   typeMeta(v1alpha1.ClusterLogsKind),
		ObjectMeta: metav1.ObjectMeta{Name: "pods"},
		Spec:       v1alpha1.ClusterLogsSpec{Logs: []v1alpha1.Log{{LogsFile: &file, PreviousLogsFile: &file}}},
	}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind}
}

// podStage is one move of a pod.
type podStage struct {
	name string
	when string // an expression in jq over the pod, with the words of vocabulary
	// after is the number of milliseconds that when must hold first; delayable lets the annotation
	// dev.sluice/delay replace it.
	after     int64
	delayable bool
	status    string // template of the patch of the pod's status; empty deletes the pod
	warning   string // reason and message of an Event that is written too, parted by ": "; empty for none
}

func (p podStage) stage() v1alpha1.Stage {
	return v1alpha1.Stage{
		TypeMeta:   typeMeta(v1alpha1.StageKind),
		ObjectMeta: metav1.ObjectMeta{Name: "pod-" + p.name},
		Spec: v1alpha1.StageSpec{
			ResourceRef: v1alpha1.StageResourceRef{APIGroup: "v1", Kind: "Pod"},
			Selector: &v1alpha1.StageSelector{MatchExpressions: []v1alpha1.MatchExpression{{
				JQ: &v1alpha1.SelectorJQ{Key: vocabulary + p.when, Operator: v1alpha1.SelectorOpIn, Values: []string{"true"}},
			}}},
			Delay: p.delay(),
			Steps: p.steps(),
		},
	}
}

func (p podStage) delay() *v1alpha1.StageDelay {
	d := &v1alpha1.StageDelay{DurationMilliseconds: &p.after}
	if p.delayable {
		d.DurationFrom = &v1alpha1.ExpressionFrom{
			JQ: &v1alpha1.ExpressionJQ{Expression: `.metadata.annotations["dev.sluice/delay"]`},
		}
	}
	return d
}

func (p podStage) steps() []v1alpha1.StageStep {
	if p.status == "" {
		return []v1alpha1.StageStep{{Delete: true}}
	}
	steps := []v1alpha1.StageStep{{Patch: &v1alpha1.StagePatch{
		Subresource: "status", Root: "status", Template: "{{ $now := Now }}\n" + p.status,
	}}}
	if reason, message, ok := strings.Cut(p.warning, ": "); ok {
		steps = append(steps, v1alpha1.StageStep{Event: &v1alpha1.StageEvent{
			Type: "Warning", Reason: reason, Message: message,
		}})
	}
	return steps
}
