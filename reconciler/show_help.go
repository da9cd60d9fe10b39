package reconciler

import (
	"fmt"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

// HelpOf is how a person makes an environment go on; nil: nobody has to.
func HelpOf(c view.Cell) *view.Help {
	command := func(verb, more string) string {
		return fmt.Sprintf("sluice %s %s %s%s", verb, c.Application, c.Environment, more)
	}
	switch {
	case c.Paused:
		return &view.Help{What: "resume", Command: command("resume", " --push")}
	case c.Canary != nil && c.Canary.Approve > 0:
		return &view.Help{What: fmt.Sprintf("approve stage %d", c.Canary.Approve), Command: command("approve", "")}
	}
	for _, r := range c.Requests {
		switch what := "merge the promotion"; {
		case !r.Due:
		case r.Kind == "revert":
			return merging("merge the way back, or push a fix", r)
		case r.URL != "" || r.Branch != "":
			return merging(what, r)
		case c.Promotion != nil && c.Promotion.By == string(config.ByHand):
			return &view.Help{What: "promote", Command: command("promote", " --push")}
		}
	}
	switch policies.Phase(c.Phase) {
	case policies.Failed, policies.RolledBack:
		return &view.Help{What: "push a fix, or try again by another number as retry: in " + config.ReleasePath(c.Environment)}
	default:
		return nil
	}
}

// merging is how a request is merged.
func merging(what string, r view.Request) *view.Help {
	if r.URL != "" {
		return &view.Help{What: what, URL: r.URL}
	}
	return &view.Help{What: what, Command: "git fetch origin " + r.Branch + " && git merge FETCH_HEAD && git push"}
}
