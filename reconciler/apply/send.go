package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// conflict is a field that another manager owns and that we would change.
type conflict struct {
	manager, field string
	sub            bool // owned through a subresource
}

var conflictWith = regexp.MustCompile(`^conflict with "([^"]*)"( with subresource)?`)

// conflictsOf reads who is in the way of an apply. None: it failed for another reason.
func conflictsOf(err error) []conflict {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || status.ErrStatus.Code != http.StatusConflict || status.ErrStatus.Details == nil {
		return nil
	}
	var found []conflict
	for _, cause := range status.ErrStatus.Details.Causes {
		m := conflictWith.FindStringSubmatch(cause.Message)
		if cause.Type == metav1.CauseTypeFieldManagerConflict && m != nil {
			found = append(found, conflict{manager: m[1], sub: m[2] != "", field: strings.TrimPrefix(cause.Field, ".")})
		}
	}
	return found
}

// submit applies a step's object: without force at first, so that a number of replicas that somebody else owns is
// seen and left to them, then with force, since all other fields are what Git says. A write whose dry-run needed force,
// and which sends no number of replicas, needs no first try.
func (c *Client) submit(ctx context.Context, s *step, dry bool) (*unstructured.Unstructured, error) {
	if _, scales := replicasOf(s.obj); !dry && !scales && len(s.Forced) > 0 {
		return c.send(ctx, s, dry, true)
	}
	answer, err := c.send(ctx, s, dry, false)
	conflicts := conflictsOf(err)
	if len(conflicts) == 0 {
		return answer, err
	}
	if manager, found := s.replicasConflict(conflicts); found {
		s.leaveReplicas(manager)
	}
	s.Forced = nil
	for _, in := range conflicts {
		if in.field != "spec.replicas" {
			s.Forced = append(s.Forced, fmt.Sprintf("%s (%s)", in.field, in.manager))
		}
	}
	return c.send(ctx, s, dry, true)
}

// send is one apply. The UID of the object that was looked at goes with it, so that another of the same name is
// never written to, nor one that was deleted brought back unseen.
func (c *Client) send(ctx context.Context, s *step, dry, force bool) (*unstructured.Unstructured, error) {
	opts := metav1.PatchOptions{FieldManager: Manager, FieldValidation: metav1.FieldValidationStrict, Force: &force}
	if dry {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	obj := s.obj
	if s.live != nil {
		obj = &unstructured.Unstructured{Object: cleaned(s.obj.Object)}
		obj.SetUID(s.live.GetUID())
	}
	return c.patch(ctx, s.kind, s.ID, types.ApplyPatchType, obj.Object, opts)
}
