package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// thing is something to try: the same commands are printed and, with EXIT=1, carried out.
type thing struct {
	title string
	steps []step
}

// step is commands in the clone, what they lead to, and commands to look at it.
type step struct {
	before   func(context.Context) error // nil: nothing
	commands []string
	then     string
	// happened is nil when what then says has come about. It gets the revision that was pushed.
	happened func(ctx context.Context, revision string) error
	look     []string
}

const (
	oldTag    = "1.29.3-alpine"
	newTag    = "1.29.4-alpine"
	stagedTag = "1.29.5-alpine"
	noTag     = "does-not-exist"
	stages    = "    rollout: {canary: {steps: [{instances: 1, hold: 5s}, {weight: 50%%}]}}"
)

// things are what to try with the shop.
func (d *demo) things() []thing {
	var before map[string]string // production's objects, when it is broken
	status := d.program("bin/sluice") + " status"
	return []thing{
		{"Push a change", []step{{
			commands: []string{
				"sed -i s/" + oldTag + "/" + newTag + "/ deploy/staging/deployment.yaml",
				`git commit -qam "Newer nginx in staging" && git push -q`,
			},
			then:     "staging runs " + newTag + "; production, whose files did not change, has no new release.",
			happened: func(ctx context.Context, revision string) error { return d.runs(ctx, "staging", newTag, revision) },
			look:     []string{status},
		}}},
		{"Go back", []step{{
			commands: []string{"git revert --no-edit HEAD && git push -q"},
			then:     "staging runs " + oldTag + " again, and the revert's own commit says so.",
			happened: func(ctx context.Context, revision string) error { return d.runs(ctx, "staging", oldTag, revision) },
			look:     []string{status},
		}}},
		{"Break a manifest, and see that nothing is lost", []step{
			{
				commands: []string{
					"echo '  labels: [' >> deploy/production/service.yaml",
					`git commit -qam "A typo" && git push -q`,
				},
				then: "the note on the commit names file and line; production runs on, nothing is changed or deleted.",
				before: func(ctx context.Context) (err error) {
					before, err = d.owned(ctx, "shop", "production")
					return err
				},
				happened: func(ctx context.Context, revision string) error { return d.isRefused(ctx, revision, before) },
				look: []string{
					"git fetch -q origin '+refs/notes/sluice/*:refs/notes/sluice/*'",
					"git log -1 --notes='sluice/*'",
				},
			},
			{
				commands: []string{
					"git revert --no-edit HEAD",
					"sed -i s/" + oldTag + "/" + newTag + "/ deploy/production/deployment.yaml",
					`git commit -qam "Newer nginx in production" && git push -q`,
				},
				then:     "the next good commit is deployed at once: production runs " + newTag + ".",
				happened: func(ctx context.Context, revision string) error { return d.runs(ctx, "production", newTag, revision) },
				look:     []string{status},
			},
		}},
		{"Release in stages, and have a bad release taken back", []step{
			{
				commands: []string{
					`printf '` + stages + `\n' >> sluice.yaml`,
					"sed -i s/" + newTag + "/" + stagedTag + "/ deploy/production/deployment.yaml",
					`git commit -qam "Newer nginx in production, in stages" && git push -q`,
				},
				then:     "one new pod runs beside the proven ones for 5 s, then half, then all: production runs " + stagedTag + ".",
				happened: func(ctx context.Context, revision string) error { return d.wasStaged(ctx, stagedTag, revision) },
				look:     []string{status},
			},
			{
				commands: []string{
					"sed -i s/" + stagedTag + "/" + noTag + "/ deploy/production/deployment.yaml",
					`git commit -qam "An image that nobody has" && git push -q`,
				},
				then:     "the commit says why it failed; the pods of " + stagedTag + " were not touched and serve on.",
				happened: func(ctx context.Context, revision string) error { return d.wasTakenBack(ctx, stagedTag, revision) },
				look:     []string{status},
			},
		}},
		d.promotion(),
	}
}

// clone is the command that the others begin with.
func (d *demo) clone() string {
	return "git clone -q -c user.name=Ada -c user.email=ada@example.com " + d.git.cloneURL("shop") + " shop && cd shop"
}

// runs is nil when an environment of the shop is healthy at a revision with an image, and no other was touched.
func (d *demo) runs(ctx context.Context, env, tag, revision string) error {
	for _, other := range environments() {
		said := d.notes.says("shop", other, revision)
		switch {
		case other == env && said.Phase != "Healthy":
			return fmt.Errorf("%s has no Healthy on %.7s (%q %s)", env, revision, said.Phase, said.Reason)
		case other != env && said.Phase != "":
			return fmt.Errorf("%s has a release of %.7s, which changed nothing for it", other, revision)
		}
	}
	return d.serves(ctx, env, tag)
}

// wasStaged is nil when production is healthy at a revision with an image, to which it came in stages.
func (d *demo) wasStaged(ctx context.Context, tag, revision string) error {
	if !d.hasStaged(revision) {
		return fmt.Errorf("production has no stage of %.7s yet", revision)
	}
	return d.runs(ctx, "production", tag, revision)
}

// wasTakenBack is nil when production says that a revision was taken back, and runs an image with all of its pods.
func (d *demo) wasTakenBack(ctx context.Context, tag, revision string) error {
	if said := d.notes.says("shop", "production", revision); said.Phase != "RolledBack" {
		return fmt.Errorf("production was not taken back from %.7s (%q %s)", revision, said.Phase, said.Reason)
	}
	return d.serves(ctx, "production", tag)
}

// isRefused is nil when production says why it cannot be at a revision, and has every object that it had.
func (d *demo) isRefused(ctx context.Context, revision string, before map[string]string) error {
	said := d.notes.says("shop", "production", revision)
	if said.Phase != "Blocked" || !strings.Contains(said.Reason, "deploy/production/service.yaml") || !strings.Contains(said.Reason, "line") {
		return fmt.Errorf("production does not name the file and line on %.7s (%q %s)", revision, said.Phase, said.Reason)
	}
	now, err := d.owned(ctx, "shop", "production")
	if err != nil {
		return err
	}
	if !maps.Equal(before, now) {
		return fmt.Errorf("production has %v, not %v", slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(before)))
	}
	_, err = d.serving(ctx, "shop", "production")
	return err
}

// suggest prints the things to try.
func (d *demo) suggest() {
	d.say.line("\nThe shop's repository (user %s, password %s):\n\n    %s\n", user, d.git.password, d.git.cloneURL("shop"))
	d.say.line("%d things to try, in another terminal:\n\n    %s", len(d.things()), d.clone())
	for i, t := range d.things() {
		d.say.line("\n%d. %s", i+1, t.title)
		for _, s := range t.steps {
			d.say.line("\n    %s\n\n   Then: %s", strings.Join(s.commands, "\n    "), s.then)
			d.say.line("\n    %s", strings.Join(s.look, "\n    "))
		}
	}
	d.say.line("\nThe cluster: kubectl --kubeconfig %s get deployments -A", d.cluster.kubeconfig)
	d.say.line("The agent:   %s, metrics at http://%s/metrics\n", d.path("agent.log"), d.listen)
}
