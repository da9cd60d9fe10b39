package promote

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
)

// Shown is what the text of a request tells of the objects: made of two renders of an environment, as Markdown.
type Shown func(s Subject, pin, candidate string, before, after []*unstructured.Unstructured) string

// shown is the last text of that kind.
type shown struct{ pin, candidate, text string }

// objects tells how the objects of the target change, and what its stages will be.
func (k *Keeper) objects(ctx context.Context, s Subject, candidate string, b *strings.Builder) error {
	pin := s.Release.Revision
	if k.Show == nil {
		return nil
	}
	if k.last.pin != pin || k.last.candidate != candidate {
		before, err := k.rendered(ctx, s, pin)
		if err != nil {
			return err
		}
		after, err := k.rendered(ctx, s, candidate)
		if err != nil {
			return err
		}
		k.last = shown{pin, candidate, k.Show(s, pin, candidate, before, after)}
	}
	fmt.Fprintf(b, "\n%s", k.last.text)
	if env, ok := s.Rules.Environment(s.Environment); ok && pin != "" {
		b.WriteString(stages(*env))
	}
	return nil
}

// rendered are the target's objects at a revision; none where it does not render, or there is no revision.
func (k *Keeper) rendered(ctx context.Context, s Subject, revision string) ([]*unstructured.Unstructured, error) {
	if revision == "" {
		return nil, nil
	}
	return s.Objects(ctx, k.Git, revision)
}

// Objects are an environment's objects and hooks at a revision, see [render.Result.All]; none where it is not in the files there.
func (s Subject) Objects(ctx context.Context, git *gitsource.Repository, revision string) ([]*unstructured.Unstructured, error) {
	tree, err := git.Tree(revision)
	if err != nil {
		return nil, fmt.Errorf("read %.7s: %w", revision, err)
	}
	req, ok := s.at(tree, s.Environment)
	if !ok {
		return nil, nil
	}
	out, err := s.Renderer.Render(ctx, elsewhere.Over(tree, s.Charts), req)
	if err != nil {
		return nil, fmt.Errorf("render %s at %.7s: %w", s.Environment, revision, err)
	}
	return out.Masked().All(), nil
}

// stages says how the release will replace the one before it.
func stages(env config.Environment) string {
	c := env.Rollout.Canary
	switch {
	case env.Rollout.BlueGreen != nil:
		return "\nAll new pods are made beside the proven ones and checked, then the Service is switched.\n"
	case c == nil:
		return ""
	}
	var steps []string
	for _, step := range c.Steps {
		text := fmt.Sprintf("%d%%", step.Weight)
		switch {
		case step.Weight == 0 && step.Instances > 1:
			text = fmt.Sprintf("%d pods", step.Instances)
		case step.Weight == 0:
			text = "1 pod"
		}
		if step.Hold > 0 {
			text += " for " + step.Hold.String()
		}
		if step.Approve {
			text += " once approved"
		}
		steps = append(steps, text)
	}
	return fmt.Sprintf("\nMerged, it goes through stages: %s, all.\n", strings.Join(steps, ", "))
}
