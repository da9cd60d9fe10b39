package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// immutable reports whether all that the API server minds is that fields changed that never may. A refusal that has
// any other cause is no reason to delete anything.
func immutable(err error) bool {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Code != http.StatusUnprocessableEntity || status.ErrStatus.Details == nil {
		return false
	}
	causes := status.ErrStatus.Details.Causes
	return len(causes) > 0 && !replaced(status.ErrStatus) &&
		!slices.ContainsFunc(causes, func(c metav1.StatusCause) bool { return !saysImmutable(c.Message) })
}

func saysImmutable(message string) bool {
	for _, said := range []string{
		"field is immutable", "may not change once set", "may not be changed once set",
		"updates to statefulset spec for fields other than", "is immutable after creation", "cannot change roleRef",
		"may not be unset", "Value is immutable",
	} {
		if strings.Contains(message, said) {
			return true
		}
	}
	return false
}

// mayRecreate decides whether a refused object is deleted and created anew: where its manifest says so, nothing
// is lost that cannot be had again, and the API server would take the replacement. Else the refusal stands, and the
// live object with it.
func (c *Client) mayRecreate(ctx context.Context, s *step, refused error) *ObjectError {
	said := c.refusal(ctx, s.ID, refused)
	switch {
	case !immutable(refused):
		return said
	case s.obj.GetAnnotations()[AnnotationRecreate] != "true":
		said.Reason += fmt.Sprintf(" (to delete it and create it anew annotate it with %s: \"true\")", AnnotationRecreate)
		return said
	case precious(s.ID):
		said.Reason += fmt.Sprintf(" (a %s is never recreated)", s.ID.Kind)
		return said
	}
	twin := s.twin()
	if err := c.create(ctx, s.kind, s.ID, twin, Manager, true); err != nil {
		invalid := c.refusal(ctx, s.ID, err)
		invalid.Reason = "not recreated, the replacement is refused: " + invalid.Reason
		return invalid
	}
	s.recreate, s.write = true, true
	s.Action, s.Fields, s.Reason = Configured, said.Fields, "recreated: "+said.Reason
	return nil
}

// twin is the replacement under a name of its own, to see whether it is valid while the old one is there. Addresses
// and ports of a Service are taken as long as the old one has them, and are left out.
func (s *step) twin() *unstructured.Unstructured {
	const suffix = "-recreate"
	made := &unstructured.Unstructured{Object: cleaned(s.obj.Object)}
	name := s.ID.Name
	if most := 63 - len(suffix); len(name) > most {
		name = strings.TrimRight(name[:most], "-.")
	}
	made.SetName(name + suffix)
	if spec, ok := made.Object["spec"].(map[string]any); ok && s.ID.Kind == "Service" && s.ID.Group == "" {
		spec = maps.Clone(spec)
		for _, taken := range []string{"clusterIP", "clusterIPs", "healthCheckNodePort"} {
			delete(spec, taken)
		}
		if ports, ok := spec["ports"].([]any); ok {
			spec["ports"] = withoutNodePorts(ports)
		}
		made.Object["spec"] = spec
	}
	return made
}

func withoutNodePorts(ports []any) []any {
	made := slices.Clone(ports)
	for i, p := range made {
		if port, ok := p.(map[string]any); ok {
			port = maps.Clone(port)
			delete(port, "nodePort")
			made[i] = port
		}
	}
	return made
}

// replace deletes the live object, as long as it is the one that was looked at, and creates the new one with as many
// replicas. It is not cut short: half of it would be a deletion.
func (c *Client) replace(ctx context.Context, s *step) (*unstructured.Unstructured, error) {
	ctx = context.WithoutCancel(ctx)
	replicas, scaled := replicasOf(s.live)
	_, stated := replicasOf(s.obj)
	if err := c.clear(ctx, s); err != nil {
		return nil, err
	}
	s.live = nil
	if stated || !scaled {
		return c.submit(ctx, s, false)
	}
	without := s.obj
	s.obj = withReplicas(s.obj, &replicas)
	answer, err := c.submit(ctx, s, false)
	s.obj = without
	if err != nil {
		return answer, err
	}
	s.live = answer
	if err := c.handOverReplicas(ctx, s); err != nil {
		return answer, err
	}
	return c.submit(ctx, s, false)
}

// clear deletes the live object and makes sure that it is gone.
func (c *Client) clear(ctx context.Context, s *step) error {
	uid := s.live.GetUID()
	for range tries {
		live, err := c.get(ctx, s.kind, s.ID)
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		case live.GetUID() != uid:
			return &ObjectError{ID: s.ID, Reason: "it was made anew by somebody else meanwhile", Transient: true, Code: http.StatusConflict}
		case live.GetDeletionTimestamp() != nil:
			return beingDeleted(s.ID, live)
		}
		err = c.remove(ctx, s.kind, s.ID, live)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
	}
	return &ObjectError{ID: s.ID, Reason: "it changes too often to be deleted", Transient: true, Code: http.StatusConflict}
}

func beingDeleted(id ID, live *unstructured.Unstructured) *ObjectError {
	reason := "it is being deleted"
	if finalizers := live.GetFinalizers(); len(finalizers) > 0 {
		reason += "; it waits for finalizers " + strings.Join(finalizers, ", ")
	}
	return &ObjectError{ID: id, Reason: reason, Transient: true, Code: http.StatusConflict}
}
