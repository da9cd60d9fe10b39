package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Action is what happens, or happened, to an object.
type Action string

// The actions. Skipped is what was to be done and was not, for a reason.
const (
	Created    Action = "created"
	Configured Action = "configured"
	Unchanged  Action = "unchanged"
	Deleted    Action = "deleted"
	Skipped    Action = "skipped"
)

// Request is what a plan is made for.
type Request struct {
	Owner     Owner
	Objects   []*unstructured.Unstructured // of the whole release; not changed
	Inventory Inventory                    // what was saved
	Adopt     bool                         // take over objects of Helm, Flux, Argo CD, kubectl or nobody
	Verify    bool                         // look at every object, also where the manifest is the one sent last
	Drifted   map[ID]string                // objects to look at whatever the inventory says, and why
}

// Planned is what is to happen to one object.
type Planned struct {
	ID     ID
	Action Action
	Fields []string // that change against the live object, as far as a dry-run tells
	Forced []string // fields that are taken from another manager: "spec.x (manager)"
	Reason string   // what else is to be said, such as whose the replicas are
	Later  bool     // it needs a definition that is applied first
}

// Plan is what is to happen to the objects of a release, in order.
type Plan struct {
	Changes []Planned
	// Definitions: there are objects whose kind or namespace this release defines and the cluster has not yet. Only
	// the definitions are applied; the rest is planned anew when they are served, which a watch on them tells.
	Definitions bool

	owner Owner
	steps []*step
}

// Differences are the fields of each object that is there and would change, as far as a dry-run tells, with their values.
func (p *Plan) Differences() map[ID][]Field {
	made := map[ID][]Field{}
	for _, s := range p.steps {
		if s.Action != Configured || s.live == nil || s.answer == nil {
			continue
		}
		made[s.ID] = slices.DeleteFunc(Differences(s.live, s.answer), func(f Field) bool { return !slices.Contains(s.Fields, f.Path) })
	}
	return made
}

// step is one object of a plan.
type step struct {
	Planned
	obj      *unstructured.Unstructured // as it is sent
	kind     kind
	class    class
	manifest string // hash of what Git says
	have     Entry  // of the inventory; with an ID only where it has none
	live     *unstructured.Unstructured
	answer   *unstructured.Unstructured // of the dry-run
	write    bool
	takeOver bool
	handOver bool
	reclaim  bool
	recreate bool
}

// Plan asks the API server what an apply would do, by dry-runs of all that may change, and writes nothing. Objects
// whose manifest is the one sent last cost no request. The error is [Errors] with every fault of every object, or
// says that ctx has ended.
func (c *Client) Plan(ctx context.Context, req Request) (*Plan, error) {
	if c.broken != nil {
		return nil, fmt.Errorf("plan %s: %w", req.Owner, c.broken)
	}
	plan := &Plan{owner: req.Owner}
	faults := c.prepare(ctx, req, plan)
	sortSteps(plan.steps)
	first, _ := slices.BinarySearchFunc(plan.steps, 1, func(s *step, _ int) int {
		if s.class == definitions {
			return -1
		}
		return 1
	})
	faults = append(faults, c.inspectAll(ctx, req, plan.steps[:first])...)
	plan.postpone()
	faults = append(faults, c.inspectAll(ctx, req, plan.steps[first:])...)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("plan %s: %w", req.Owner, err)
	}
	if err := faults.orNil(); err != nil {
		return nil, err
	}
	for _, s := range plan.steps {
		plan.Changes = append(plan.Changes, s.Planned)
		plan.Definitions = plan.Definitions || s.Later
	}
	return plan, nil
}

// prepare makes the steps of a plan.
func (c *Client) prepare(ctx context.Context, req Request, plan *Plan) (faults Errors) {
	have := make(map[ID]Entry, len(req.Inventory))
	for _, e := range req.Inventory {
		have[e.ID] = e
	}
	defined := definedKinds(req.Objects)
	seen := map[ID]bool{}
	for _, obj := range req.Objects {
		s, fault := c.step(ctx, req.Owner, obj, defined)
		if fault == nil && seen[s.ID] {
			fault = &ObjectError{ID: s.ID, Reason: "it is there twice in the release"}
		}
		if fault != nil {
			faults = append(faults, fault)
			continue
		}
		seen[s.ID] = true
		s.have = have[s.ID]
		plan.steps = append(plan.steps, s)
	}
	return faults
}

func (c *Client) step(ctx context.Context, owner Owner, obj *unstructured.Unstructured, defined map[string]bool) (*step, *ObjectError) {
	gvk, id := obj.GroupVersionKind(), IDOf(obj)
	fault := func(format string, args ...any) (*step, *ObjectError) {
		return nil, &ObjectError{ID: id, Reason: fmt.Sprintf(format, args...)}
	}
	if id.Kind == "" || gvk.Version == "" || id.Name == "" {
		return fault("apiVersion, kind and metadata.name are required")
	}
	found, err := c.cluster.kinds.find(ctx, gvk)
	later := errors.Is(err, errNoKind) && defined[gvk.GroupKind().String()]
	switch {
	case later:
	case errors.Is(err, errNoKind):
		return fault("no such kind: apiVersion %s, kind %s; is the CRD missing?", gvk.GroupVersion(), gvk.Kind)
	case err != nil:
		return nil, c.refusal(ctx, id, err)
	case !found.namespaced && id.Namespace != "":
		obj = c.cluster.Scoped([]*unstructured.Unstructured{obj})[0]
		id.Namespace = ""
	case found.namespaced && id.Namespace == "":
		return fault("metadata.namespace is required")
	}
	if reserved := id.Namespace; c.reserved(id) {
		if reserved == "" {
			reserved = id.Name
		}
		return fault("namespace %q is reserved", reserved)
	}
	if obj, err = c.opened(obj); err != nil {
		return fault("%v", err)
	}
	out, err := c.cluster.outgoing(owner, obj)
	if err != nil {
		return fault("%v", err)
	}
	hash, err := c.cluster.manifestHash(id, out)
	if err != nil {
		return fault("%v", err)
	}
	return &step{
		Planned: Planned{ID: id, Action: Created, Later: later}, obj: out, kind: found, manifest: hash,
		class: classOf(id, gvk.Version),
	}, nil
}

func (c *Client) reserved(id ID) bool {
	return slices.Contains(c.cluster.reserved, id.Namespace) || isNamespace(id) && slices.Contains(c.cluster.reserved, id.Name)
}
