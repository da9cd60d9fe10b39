package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/e2e/world"
)

const (
	groupBranch = "sluice/group/counter"
	groupStatus = "sluice/promotable/group/counter"
)

// counter is a repository of two applications, the shop and its till, whose productions are promoted together. The till waits
// until two of its releases were proven.
type counter struct {
	*world.Story
	p *world.Project
}

func beginCounter(t *testing.T) *counter {
	t.Helper()
	s := begin(t, "promotion-group")
	c := &counter{s, s.AtForge(t)}
	for app, when := range map[string]string{"shop": "", "till": ", when: {releases: 2}"} {
		file := "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: " + app + "}\nenvironments:\n"
		for _, env := range []string{"staging", "production"} {
			file += s.Block(env, "directory: {path: "+env+"}")
		}
		s.Repo.Write(t, "apps/"+app+"/sluice.yaml", file+
			"    follow: pin\n    promotion: {from: staging, group: counter"+when+"}\n    rollout: {canary: {steps: [{instances: 1, hold: 1s}]}}\n")
		c.image(t, app, firstImage)
	}
	s.Agent.Config.Repositories[0].Applications = map[string]any{"path": "apps/*"}
	return c
}

// image gives an application an image in both environments, not yet committed.
func (c *counter) image(t *testing.T, app, image string) {
	t.Helper()
	for _, env := range []string{"staging", "production"} {
		c.Repo.Write(t, "apps/"+app+"/"+env+"/deployment.yaml", fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: 2
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      securityContext: {runAsNonRoot: true, runAsUser: 101, seccompProfile: {type: RuntimeDefault}}
      containers:
      - {name: web, image: %[2]q, securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}}
`, app, image))
	}
}

// release pushes an image of some applications, and waits until it is well in their staging.
func (c *counter) release(t *testing.T, image string, apps ...string) string {
	t.Helper()
	c.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	for _, app := range apps {
		c.image(t, app, image)
	}
	revision := c.Repo.Commit(t, "Image "+image+" of "+strings.Join(apps, " and "))
	c.well(t, "staging", revision, apps...)
	return revision
}

// well waits until a revision is healthy in an environment of some applications.
func (c *counter) well(t *testing.T, environment, revision string, apps ...string) {
	t.Helper()
	for _, app := range apps {
		c.note(t, environment, app, revision, "Healthy")
	}
}

func (c *counter) note(t *testing.T, environment, app, revision, phase string) {
	t.Helper()
	c.Repo.AwaitNote(t, world.Patience, phase+" of "+app, environment, func(n world.Note) bool {
		return n.On == revision && n.Phase == phase && n.Application == app
	})
}

// unrelated pushes what changes no release: the agent looks again.
func (c *counter) unrelated(t *testing.T, text string) {
	t.Helper()
	c.Repo.Run(t, "pull", "-q", "--rebase", "origin", "main")
	c.Repo.Write(t, "README", text+"\n")
	c.Repo.Commit(t, text)
}

// request waits for the open request that moves just these pins.
func (c *counter) request(t *testing.T, pins map[string]string) world.MergeRequest {
	t.Helper()
	return c.p.AwaitMergeRequest(t, fmt.Sprint("one for ", pins), func(m world.MergeRequest) bool {
		if m.State != "open" || m.Head.Ref != groupBranch || strings.Count(m.Body, "\n## ") != len(pins) {
			return false
		}
		for app, revision := range pins {
			if !strings.Contains(m.Body, "\n## "+app+"/production\n") || !strings.Contains(m.Body, "Pins **"+app+"** in **production** to "+revision) {
				return false
			}
		}
		return true
	})
}

// TestPromotionOfAGroup: the pins of two applications are moved by one request, which waits for both; what a person closes is
// asked for again for neither of them.
func TestPromotionOfAGroup(t *testing.T) {
	c := beginCounter(t)
	p := c.p
	first := c.Repo.Commit(t, "The shop and its till")
	c.Agent.Start(t)
	c.well(t, "staging", first, "shop", "till")
	var request world.MergeRequest
	t.Run("OneRequestAsksForBoth", func(t *testing.T) {
		request = c.request(t, map[string]string{"shop": first, "till": first})
		if open := p.MergeRequests(t, "open"); len(open) != 1 {
			t.Errorf("%d requests are open: %v", len(open), open)
		}
	})
	var second string
	t.Run("ItWaitsForTheOneThatIsNotDue", func(t *testing.T) {
		status := p.AwaitStatus(t, request.Head.SHA, groupStatus, "pending")
		if !strings.HasPrefix(status.Description, "till/production: "+first[:7]+" waits: ") {
			t.Errorf("it does not say who waits: %s", status.Description)
		}
		second = c.release(t, nextImage, "till")
		number := request.Number
		if request = c.request(t, map[string]string{"shop": first, "till": second}); request.Number != number {
			t.Errorf("it is another request: %d, and was %d", request.Number, number)
		}
		p.AwaitStatus(t, request.Head.SHA, groupStatus, "success")
	})
	t.Run("MergedBothAreReleased", func(t *testing.T) {
		p.Merge(t, request.Number, world.Merge)
		c.well(t, "production", first, "shop")
		c.well(t, "production", second, "till")
	})
	t.Run("BothGoThroughTheirStages", func(t *testing.T) {
		c.release(t, imageName+"1.30.0", "till")
		next := c.release(t, imageName+"1.30.1", "shop", "till")
		request = c.request(t, map[string]string{"shop": next, "till": next})
		p.AwaitStatus(t, request.Head.SHA, groupStatus, "success")
		p.Merge(t, request.Number, world.Squash)
		for _, app := range []string{"shop", "till"} {
			c.note(t, "production", app, next, "Promoting") // all stages were well
			c.note(t, "production", app, next, "Healthy")
		}
	})
	t.Run("Lesson40_ClosedNeitherIsAskedForAgain", func(t *testing.T) {
		third := c.release(t, imageName+"1.31.0", "shop", "till")
		request = c.request(t, map[string]string{"shop": third, "till": third})
		p.CloseMergeRequest(t, request.Number)
		c.unrelated(t, "Another word to the reader")
		c.Agent.AwaitPolls(t)
		c.Agent.AwaitPolls(t)
		if open := p.MergeRequests(t, "open"); len(open) != 0 {
			t.Errorf("a request is open again: %v", open)
		}
	})
	t.Run("ANewerOneOfOneIsAskedForAlone", func(t *testing.T) {
		fourth := c.release(t, imageName+"1.31.1", "shop")
		request = c.request(t, map[string]string{"shop": fourth})
		if !strings.Contains(request.Body, "these are not in this request:\n\n- till/production: ") {
			t.Errorf("the till is not named: %s", request.Body)
		}
		files := strings.Fields(c.Repo.Run(t, "diff", "--name-only", c.fetched(t)+"^", "FETCH_HEAD"))
		if len(files) != 1 || files[0] != "apps/shop/releases/production.yaml" {
			t.Errorf("its branch changes %v", files)
		}
	})
}

// fetched fetches the branch of the group.
func (c *counter) fetched(t *testing.T) string {
	t.Helper()
	c.Repo.Run(t, "fetch", "-q", "origin", groupBranch)
	return "FETCH_HEAD"
}
