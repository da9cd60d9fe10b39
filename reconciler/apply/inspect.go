package apply

import (
	"context"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// definedKinds are the kinds, "Kind.group", that a release defines.
func definedKinds(objects []*unstructured.Unstructured) map[string]bool {
	defined := map[string]bool{}
	for _, obj := range objects {
		if isDefinitionOfKind(IDOf(obj)) {
			defined[definedKind(obj)] = true
		}
	}
	return defined
}

func definedKind(crd *unstructured.Unstructured) string {
	group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
	name, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return name + "." + group
}

// postpone marks the objects that need a definition which is still to be applied: a namespace that is not there, a
// kind whose definition is new or changes, since its present schema would judge them wrongly.
func (p *Plan) postpone() {
	spaces, kinds := map[string]bool{}, map[string]bool{}
	for _, s := range p.steps {
		switch {
		case isNamespace(s.ID) && s.Action == Created:
			spaces[s.ID.Name] = true
		case isDefinitionOfKind(s.ID) && s.redefines():
			kinds[definedKind(s.obj)] = true
		}
	}
	for _, s := range p.steps {
		gk := s.ID.groupKind()
		if s.ID.Namespace != "" && spaces[s.ID.Namespace] || kinds[gk.Kind+"."+gk.Group] {
			s.Later = true
		}
	}
}

// redefines reports whether what is defined changes, and not only labels of the definition.
func (s *step) redefines() bool {
	return s.Action == Created || slices.ContainsFunc(s.Fields, func(f string) bool { return strings.HasPrefix(f, "spec") })
}

func (c *Client) inspectAll(ctx context.Context, req Request, steps []*step) Errors {
	faults := make(Errors, len(steps))
	c.each(len(steps), func(i int) {
		if s := steps[i]; !s.Later && !s.settled(req) && ctx.Err() == nil {
			faults[i] = explained(c.inspect(ctx, req, s), s.obj)
		}
	})
	return faults
}

// settled reports whether nothing has to be asked about an object: what was sent last is what Git says.
func (s *step) settled(req Request) bool {
	_, drifted := req.Drifted[s.ID]
	if req.Verify || drifted || s.have.UID == "" || s.have.Manifest != s.manifest {
		return false
	}
	s.Action = Unchanged
	return true
}

// inspect finds out what an apply of one object would do.
func (c *Client) inspect(ctx context.Context, req Request, s *step) *ObjectError {
	if s.have.UID == "" {
		fresh, fault := c.inspectNew(ctx, s)
		if fresh || fault != nil {
			return fault
		}
	} else if err := c.look(ctx, s); err != nil {
		return c.refusal(ctx, s.ID, err)
	}
	if s.live == nil {
		answer, err := c.submit(ctx, s, true)
		if err != nil {
			return c.refusal(ctx, s.ID, err)
		}
		s.Action, s.answer, s.write = Created, answer, true
		return nil
	}
	if s.live.GetDeletionTimestamp() != nil {
		return beingDeleted(s.ID, s.live)
	}
	known := s.have.UID != "" && s.have.UID == string(s.live.GetUID())
	takeOver, refused := req.Owner.claim(s.live, c.cluster.agent, known, req.Adopt)
	if refused != "" {
		return &ObjectError{ID: s.ID, Reason: refused}
	}
	s.takeOver = takeOver
	s.decideReplicas()
	answer, err := c.submit(ctx, s, true)
	if err != nil && known && c.mayReclaim(ctx, s, err) {
		return nil
	}
	if err != nil {
		return c.mayRecreate(ctx, s, err)
	}
	s.answer = answer
	s.compare()
	if _, drifted := req.Drifted[s.ID]; known && drifted {
		s.takeBack()
	}
	return nil
}

// look gets the live object; nil where there is none.
func (c *Client) look(ctx context.Context, s *step) error {
	live, err := c.get(ctx, s.kind, s.ID)
	if apierrors.IsNotFound(err) {
		return nil
	}
	s.live = live
	return err
}

// inspectNew asks about an object that the inventory does not know, without a look at it first: the answer of a
// dry-run without a resourceVersion is one that does not exist. Fresh: that is so, and all is done.
func (c *Client) inspectNew(ctx context.Context, s *step) (fresh bool, fault *ObjectError) {
	answer, err := c.send(ctx, s, true, false)
	if err == nil && answer.GetResourceVersion() == "" {
		s.Action, s.answer, s.write = Created, answer, true
		return true, nil
	}
	if err != nil && !apierrors.IsConflict(err) && !apierrors.IsInvalid(err) {
		return false, c.refusal(ctx, s.ID, err)
	}
	if lookErr := c.look(ctx, s); lookErr != nil {
		return false, c.refusal(ctx, s.ID, lookErr)
	}
	if s.live == nil && err != nil {
		return false, c.refusal(ctx, s.ID, err)
	}
	return false, nil
}

// compare decides whether there is anything to write: fields of the object, or which of them are ours.
func (s *step) compare() {
	s.Fields = changedFields(s.live, s.answer)
	if s.handOver { // the dry-run resets the number; the apply will not
		s.Fields = slices.DeleteFunc(s.Fields, func(f string) bool { return f == "spec.replicas" })
	}
	s.Action = Unchanged
	if len(s.Fields) > 0 {
		s.Action = Configured
	}
	s.write = s.takeOver || s.handOver || len(s.Fields) > 0 ||
		!scalarsEqual(applied(s.live, Manager), applied(s.answer, Manager))
}
