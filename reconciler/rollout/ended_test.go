package rollout

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func TestEnded(t *testing.T) {
	tests := map[string]struct {
		object string
		ended  bool
		fault  string
	}{
		"JobRuns":      {"{apiVersion: batch/v1, kind: Job, status: {active: 1}}", false, ""},
		"JobSuspended": {"{apiVersion: batch/v1, kind: Job, spec: {suspend: true}, status: {conditions: [{type: Suspended, status: 'True'}]}}", false, ""},
		"JobComplete":  {"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Complete, status: 'True'}]}}", true, ""},
		"JobFailing":   {"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: FailureTarget, status: 'True'}]}}", false, ""},
		"JobFailed": {
			"{apiVersion: batch/v1, kind: Job, status: {conditions: [{type: Failed, status: 'True', reason: DeadlineExceeded, message: too long}]}}",
			true, "DeadlineExceeded: too long",
		},
		"PodRuns":      {"{apiVersion: v1, kind: Pod, status: {phase: Running}}", false, ""},
		"PodSucceeded": {"{apiVersion: v1, kind: Pod, status: {phase: Succeeded}}", true, ""},
		"PodFailed":    {"{apiVersion: v1, kind: Pod, status: {phase: Failed, reason: Evicted}}", true, "it ended with an error (Evicted)"},
		"Secret":       {"{apiVersion: v1, kind: Secret}", true, ""},
		"OtherJob":     {"{apiVersion: example.com/v1, kind: Job}", true, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			o := &unstructured.Unstructured{}
			if err := yaml.Unmarshal([]byte(tc.object), &o.Object); err != nil {
				t.Fatal(err)
			}
			if ended, fault := Ended(o); ended != tc.ended || fault != tc.fault {
				t.Errorf("it is %v, %q", ended, fault)
			}
		})
	}
}
