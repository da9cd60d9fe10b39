package apply

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Prepared is an apply that was looked at and not made. It holds while the object's generation is the same, since what is sent
// as its replicas was decided by who owned them.
type Prepared struct {
	ID ID
	// Would is the object as it would be, and Generation that of the live one; zero where no dry-run was made.
	Would      *unstructured.Unstructured
	Generation int64
	step       *step
}

// Prepare finds out by a dry-run what an apply of one object would make of it. It costs two or three requests. An object that
// is not there is [ErrGone].
func (c *Client) Prepare(ctx context.Context, owner Owner, obj *unstructured.Unstructured) (*Prepared, error) {
	s, err := c.there(ctx, owner, obj)
	if err != nil {
		return nil, err
	}
	s.decideReplicas()
	would, err := c.submit(ctx, s, true)
	if err != nil {
		return nil, c.refusal(ctx, s.ID, err)
	}
	return &Prepared{ID: s.ID, Would: would, Generation: s.live.GetGeneration(), step: s}, nil
}

// Direct reports whether the apply takes no more than one request.
func (p *Prepared) Direct() bool { return !p.step.handOver }

// Straight is an apply of an object of the inventory that nothing is asked about before. It is for objects without replicas.
func (c *Client) Straight(ctx context.Context, owner Owner, obj *unstructured.Unstructured, e Entry) (*Prepared, error) {
	s, fault := c.step(ctx, owner, obj, nil)
	if fault != nil {
		return nil, fault
	}
	s.live = &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"uid": e.UID}}}
	return &Prepared{ID: s.ID, step: s}, nil
}

// Send makes a prepared apply and returns the object as it is now. A field that somebody else owns, and another object of the
// same name, are errors: then a [Client.Plan] tells what is to be done.
func (c *Client) Send(ctx context.Context, p *Prepared) (*unstructured.Unstructured, error) {
	answer, err := c.send(ctx, p.step, false, len(p.step.Forced) > 0)
	if err != nil {
		return nil, c.refusal(ctx, p.ID, err)
	}
	return answer, nil
}
