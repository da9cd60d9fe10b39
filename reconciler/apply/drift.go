package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ErrGone says that an object is not in the cluster.
var ErrGone = errors.New("it is not in the cluster")

// keep says why an object of ours is not deleted; empty: it goes.
func keep(owner Owner, e Entry, live *unstructured.Unstructured, agent string) string {
	_, _, none := labelled(live)
	switch {
	case e.UID != "" && e.UID != string(live.GetUID()):
		return "kept: it is not the object that we made, but another of the same name"
	case none:
		return "kept: somebody took the labels off it that make it ours"
	case owner.clash(live, agent) != "":
		return "kept: " + owner.clash(live, agent)
	case live.GetAnnotations()[AnnotationPrune] == "disabled":
		return "kept: annotated " + AnnotationPrune + ": disabled"
	}
	return ""
}

// Get returns a live object in a version; an empty version is the one that the cluster prefers. One that is not
// there is [ErrGone].
func (c *Client) Get(ctx context.Context, id ID, version string) (*unstructured.Unstructured, error) {
	found, err := c.cluster.kinds.findAny(ctx, id.groupKind().WithVersion(version))
	if err != nil {
		return nil, c.refusal(ctx, id, err)
	}
	live, err := c.get(ctx, found, id)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("get %s: %w", id, ErrGone)
	}
	if err != nil {
		return nil, c.refusal(ctx, id, err)
	}
	return live, nil
}

// LiveHash returns the hash of a live object, as the inventory has it. Empty: it is not there, or nothing of it is
// ours.
func (c *Client) LiveHash(ctx context.Context, e Entry) (string, error) {
	live, err := c.Get(ctx, e.ID, e.Version)
	if errors.Is(err, ErrGone) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return c.cluster.Hash(live), nil
}

// there is a step for an object that must be in the cluster, with its live state.
func (c *Client) there(ctx context.Context, owner Owner, obj *unstructured.Unstructured) (*step, error) {
	s, fault := c.step(ctx, owner, obj, nil)
	if fault != nil {
		return nil, fault
	}
	if err := c.look(ctx, s); err != nil {
		return nil, c.refusal(ctx, s.ID, err)
	}
	if s.live == nil {
		return nil, fmt.Errorf("compare %s: %w", s.ID, ErrGone)
	}
	return s, nil
}

// Drift returns the fields of ours whose live value is not what the manifest says, sorted. It costs one request where
// the hash is as it was, and two or three where it is not. An object that is not there is [ErrGone].
func (c *Client) Drift(ctx context.Context, owner Owner, obj *unstructured.Unstructured, e Entry) ([]string, error) {
	s, err := c.there(ctx, owner, obj)
	if err != nil {
		return nil, err
	}
	if e.Hash != "" && e.UID == string(s.live.GetUID()) && e.Hash == c.cluster.Hash(s.live) {
		return nil, nil
	}
	s.decideReplicas()
	answer, err := c.submit(ctx, s, true)
	if _, paths := swapped(s.live, s.obj); apierrors.IsInvalid(err) && len(paths) > 0 {
		return paths, nil
	}
	if err != nil {
		return nil, c.refusal(ctx, s.ID, err)
	}
	s.answer = answer
	s.compare()
	return s.Fields, nil
}

// Before returns what must be saved before the first write of a release: all that we have and all that we are about to
// have, with no hashes of the objects whose manifest changes. So nothing is untracked, and nothing taken for done,
// whenever the agent dies. It asks nobody.
func (c *Cluster) Before(owner Owner, objects []*unstructured.Unstructured, have Inventory) Inventory {
	known := make(map[ID]Entry, len(have))
	for _, e := range have {
		known[e.ID] = e
	}
	objects = c.Scoped(objects)
	coming := Wanted(objects)
	settled := make(map[ID]Entry, len(objects))
	for _, obj := range objects {
		id := IDOf(obj)
		out, err := c.outgoing(owner, obj)
		if err != nil {
			continue
		}
		if hash, err := c.manifestHash(id, out); err == nil && known[id].Manifest == hash {
			settled[id] = known[id]
		}
	}
	for i, e := range coming {
		if was, ok := settled[e.ID]; ok {
			coming[i] = was
		}
	}
	return Union(coming, slices.Collect(maps.Values(known)))
}

// ctxError reports whether an error only says that a context has ended.
func ctxError(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
