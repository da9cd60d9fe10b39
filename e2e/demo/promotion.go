package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	promotedTag = "1.29.5-alpine-slim"
	// proposal is the branch that asks for a promotion. The demo's Git server has no merge requests.
	proposal = "sluice/promote/shop/production"
)

// promotion is the thing that asks for two environments at once: what was proven in one is pinned in the other.
func (d *demo) promotion() thing {
	var pinned string // what the proposal asked for
	status := d.program("bin/sluice") + " status"
	return thing{"Promote by merging, and roll back by reverting", []step{
		{
			commands: []string{
				"git revert --no-edit HEAD",
				`printf '    follow: pin\n    promotion: {from: staging}\n' >> sluice.yaml`,
				`mkdir releases && echo "revision: $(git rev-parse HEAD)" > releases/production.yaml`,
				`git add -A && git commit -qm "Production follows a pin" && git push -q`,
			},
			then:     "production is at the pin, the commit before, which has " + stagedTag + " as it runs.",
			happened: d.isPinned,
			look:     []string{status},
		},
		{
			commands: []string{
				"sed -i 's/1.29.[0-9]-alpine/" + promotedTag + "/' deploy/*/deployment.yaml",
				`git commit -qam "A slimmer nginx everywhere" && git push -q`,
			},
			then: "staging runs " + promotedTag + ", production still " + stagedTag + ", and a branch waits that moves its pin " +
				"(where the forge has merge requests, it is one).",
			happened: func(ctx context.Context, revision string) (err error) {
				pinned, err = revision, d.isProposed(ctx, revision)
				return err
			},
			look: []string{status, "git fetch -q && git show --format='%an: %B' origin/" + proposal},
		},
		{
			commands: []string{"git fetch -q && git merge -q origin/" + proposal + " && git push -q"},
			then:     "production goes through its stages to the release that staging has proven, and runs " + promotedTag + ".",
			happened: func(ctx context.Context, _ string) error { return d.wasPromoted(ctx, pinned) },
			look:     []string{status},
		},
		{
			commands: []string{"git revert --no-edit HEAD && git push -q"},
			then:     "production runs " + stagedTag + " again, in one wave without stages, and nothing asks to undo that.",
			happened: func(ctx context.Context, revision string) error { return d.wasRolledBack(ctx, pinned, revision) },
			look:     []string{status, d.program("bin/sluice") + " history shop production"},
		},
	}}
}

// pin is what production's release file names at a revision or branch of the server.
func (d *demo) pin(ctx context.Context, at string) (string, error) {
	text, err := git(ctx, d.path("git", "shop.git"), "show", at+":releases/production.yaml")
	if err != nil {
		return "", err
	}
	_, pin, _ := strings.Cut(text, "revision: ")
	return strings.TrimSpace(pin), nil
}

// asksFor is the revision that the proposal asks for; empty where there is none.
func (d *demo) asksFor(ctx context.Context) (string, error) {
	found, err := git(ctx, d.path("git", "shop.git"), "for-each-ref", "refs/heads/"+proposal)
	if err != nil || found == "" {
		return "", err
	}
	return d.pin(ctx, proposal)
}

// isPinned is nil when production is healthy at what its release file names at a revision.
func (d *demo) isPinned(ctx context.Context, revision string) error {
	pin, err := d.pin(ctx, revision)
	if err != nil {
		return err
	}
	if said := d.notes.says("shop", "production", pin); said.Phase != "Healthy" {
		return fmt.Errorf("production has no Healthy on its pin %.7s (%q %s)", pin, said.Phase, said.Reason)
	}
	return d.serves(ctx, "production", stagedTag)
}

// isProposed is nil when staging is healthy at a revision, production is where it was, and a branch asks for the revision.
func (d *demo) isProposed(ctx context.Context, revision string) error {
	if err := d.runs(ctx, "staging", promotedTag, revision); err != nil {
		return err
	}
	asks, err := d.asksFor(ctx)
	if err != nil {
		return err
	}
	if asks != revision {
		return fmt.Errorf("branch %s asks for %.7s, not %.7s", proposal, asks, revision)
	}
	return d.serves(ctx, "production", stagedTag)
}

// wasPromoted is nil when production is healthy at a pin, to which it came in stages.
func (d *demo) wasPromoted(ctx context.Context, pin string) error {
	if !d.hasStaged(pin) {
		return fmt.Errorf("production has no stage of %.7s yet", pin)
	}
	if said := d.notes.says("shop", "production", pin); said.Phase != "Healthy" {
		return fmt.Errorf("production has no Healthy on %.7s (%q %s)", pin, said.Phase, said.Reason)
	}
	return d.serves(ctx, "production", promotedTag)
}

// wasRolledBack is nil when production left a release for the one that is pinned at a revision, and nothing asks for it again.
func (d *demo) wasRolledBack(ctx context.Context, left, revision string) error {
	pin, err := d.pin(ctx, revision)
	if err != nil {
		return err
	}
	if said := d.notes.says("shop", "production", left); said.Phase != "RolledBack" {
		return fmt.Errorf("production does not say that it left %.7s (%q %s)", left, said.Phase, said.Reason)
	}
	if said := d.notes.says("shop", "production", pin); said.Phase != "Healthy" || !strings.Contains(said.Reason, "rolled back") {
		return fmt.Errorf("production was not rolled back to %.7s (%q %s)", pin, said.Phase, said.Reason)
	}
	asks, err := d.asksFor(ctx)
	if err != nil {
		return err
	}
	if asks != "" {
		return fmt.Errorf("branch %s asks for %.7s", proposal, asks)
	}
	return d.serves(ctx, "production", stagedTag)
}

// hasStaged reports whether production said that it is in the first stage of a release.
func (d *demo) hasStaged(revision string) bool {
	return slices.ContainsFunc(d.notes.lines, func(n note) bool {
		return n.On == revision && n.Environment == "production" && strings.HasPrefix(n.Reason, "stage 1 of 2")
	})
}

// serves is nil when all pods of an environment of the shop are ready and have an image.
func (d *demo) serves(ctx context.Context, env, tag string) error {
	deployment, err := d.serving(ctx, "shop", env)
	if err != nil {
		return err
	}
	if got := image(deployment); !strings.HasSuffix(got, ":"+tag) {
		return fmt.Errorf("%s runs %s, not %s", env, got, tag)
	}
	return nil
}
