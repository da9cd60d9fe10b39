package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Change is what happened to an object.
type Change struct {
	ID     ID
	Action Action
	Reason string   // why it was skipped, or what else is to be said
	Fields []string // that changed
}

// Result is what an apply did, complete also when it failed.
type Result struct {
	Changes []Change // of the objects that were done, in order
	// Entries are all objects of the plan: as they are now where they were done; as before where they were not
	// begun; without hashes where it is not known what became of them.
	Entries Inventory
	// Answers are the objects as the API server gave them back after a write, for whoever watches them. Those of
	// Secrets hold the values.
	Answers []*unstructured.Unstructured
}

// outcome is what became of a step.
type outcome struct {
	done, begun bool
	entry       Entry
	change      Change
	answer      *unstructured.Unstructured
	fault       *ObjectError
}

// Apply carries a plan out, class by class, the objects of a class at once. After a fault the rest of its class is
// still done, and no later class is begun. When ctx ends, what is being written is finished and nothing more is begun.
// The result is complete in every case; the error is [Errors], or says that ctx has ended.
func (c *Client) Apply(ctx context.Context, plan *Plan) (*Result, error) {
	outcomes := make([]outcome, len(plan.steps))
	var faults Errors
	for _, class := range inOrder() {
		if plan.Definitions && class != definitions {
			break
		}
		c.each(len(plan.steps), func(i int) {
			if s := plan.steps[i]; s.class == class && !s.Later && ctx.Err() == nil {
				outcomes[i] = c.carryOut(ctx, plan.owner, s)
			}
		})
		for _, o := range outcomes {
			faults = append(faults, o.fault)
		}
		if faults.orNil() != nil || ctx.Err() != nil {
			break
		}
		faults = nil
	}
	result := &Result{}
	for i, o := range outcomes {
		result.add(plan.steps[i], o)
	}
	result.Entries = Union(result.Entries, nil)
	if err := faults.orNil(); err != nil {
		return result, err
	}
	if err := ctx.Err(); err != nil {
		return result, fmt.Errorf("apply %s: %w", plan.owner, err)
	}
	return result, nil
}

func (r *Result) add(s *step, o outcome) {
	entry := s.have
	entry.ID = s.ID
	if entry.Version == "" {
		entry.Version = s.obj.GroupVersionKind().Version
	}
	switch {
	case o.done:
		entry = o.entry
		r.Changes = append(r.Changes, o.change)
	case o.begun:
		entry.Hash, entry.Manifest = "", ""
	}
	if o.answer != nil {
		r.Answers = append(r.Answers, o.answer)
	}
	r.Entries = append(r.Entries, entry)
}

// carryOut does one step.
func (c *Client) carryOut(ctx context.Context, owner Owner, s *step) outcome {
	entry := s.have
	entry.ID, entry.Version, entry.Manifest = s.ID, s.obj.GroupVersionKind().Version, s.manifest
	change := Change{ID: s.ID, Action: s.Action, Reason: s.Reason, Fields: s.Fields}
	if !s.write {
		if s.live != nil { // it was looked at
			entry.UID, entry.Hash = string(s.live.GetUID()), c.cluster.Hash(s.live)
		}
		return outcome{done: true, entry: entry, change: change}
	}
	before := s.live
	answer, err := c.perform(ctx, owner, s)
	if err != nil {
		if ctx.Err() != nil && answer == nil && ctxError(err) {
			return outcome{begun: true} // not a fault of the object
		}
		return outcome{begun: true, answer: answer, fault: c.refusal(ctx, s.ID, err)}
	}
	if before != nil && !s.recreate {
		change.Fields = changedFields(before, answer)
		change.Action = Unchanged
		if len(change.Fields) > 0 {
			change.Action = Configured
		}
	}
	change.Reason = s.Reason
	entry.UID, entry.Hash = string(answer.GetUID()), c.cluster.Hash(answer)
	return outcome{done: true, begun: true, entry: entry, change: change, answer: answer}
}

// perform makes the writes of a step, in an order that is safe to end after any of them.
func (c *Client) perform(ctx context.Context, owner Owner, s *step) (*unstructured.Unstructured, error) {
	if s.recreate {
		return c.replace(ctx, s)
	}
	if s.handOver {
		if err := c.handOverReplicas(ctx, s); err != nil {
			return nil, err
		}
	}
	if s.takeOver {
		if err := c.takeOver(ctx, s, owner); err != nil {
			return nil, err
		}
	}
	if s.reclaim {
		if err := c.reclaimItems(ctx, s); err != nil {
			return nil, err
		}
	}
	return c.submit(ctx, s, false)
}
