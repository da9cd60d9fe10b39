package reconciler

import (
	"context"
	"fmt"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// longestEvent is how long the API server lets an Event's message be.
const longestEvent = 1024

// tellLine tells the cluster what became of a release.
func (s *site) tellLine(ctx context.Context, k Key, line record.Line) {
	kind := corev1.EventTypeNormal
	if line.Phase == policies.Failed || line.Phase == policies.Blocked || line.Phase == policies.Holding {
		kind = corev1.EventTypeWarning
	}
	s.event(ctx, k, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: StateName(k) + "." + line.ID},
		Type:       kind, Reason: string(line.Phase), Message: line.Summary(), FirstTimestamp: metav1.NewTime(line.At),
	})
}

// tellDrift tells the cluster of drift.
func (s *site) tellDrift(ctx context.Context, k Key, reason, text string, at time.Time) {
	s.event(ctx, k, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("%s.%x", StateName(k), at.UnixNano())},
		Type:       corev1.EventTypeNormal, Reason: reason, Message: text, FirstTimestamp: metav1.NewTime(at),
	})
}

// event writes an Event about the state Secret of a key. That it cannot be written stops nothing.
func (s *site) event(ctx context.Context, k Key, event *corev1.Event) {
	event.Namespace = s.agent.config.StateNamespace
	event.InvolvedObject = corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: event.Namespace, Name: StateName(k)}
	event.Message, event.Count, event.LastTimestamp = clip(event.Message, longestEvent), 1, event.FirstTimestamp
	event.Source = corev1.EventSource{Component: "sluice"}
	event.ReportingController, event.ReportingInstance = "sluice.dev/agent", s.agent.name
	_, err := s.core.Events(event.Namespace).Create(ctx, event, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
		s.log.Debug("Event was not written", "err", err)
	}
}

// clip cuts a text to a number of bytes, between characters.
func clip(s string, most int) string {
	if len(s) <= most {
		return s
	}
	end := most - len("...")
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}
