package reconciler

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/sluice-cd/sluice/policies"
)

// WaitsFor says why a release that is under way does not go on; empty: nothing keeps it. People read it as it is.
func WaitsFor(k Key, state policies.State) string {
	switch {
	case state.Awaited() > 0:
		return fmt.Sprintf("a person: sluice approve %s %s", k.Application, k.Environment)
	case state.Closed:
		return "a window to open"
	case state.Waiting.Reason != "":
		next := state.Waiting.Release.Revision
		if state.Phase == "" {
			next = "" // it is what is shown
		}
		return "a window to open: " + strings.TrimSpace(fmt.Sprintf("%.7s %s", next, oneLine(state.Waiting.Reason)))
	case state.Hooking.Runs():
		return cmp.Or(oneLine(state.Hooking.Why), fmt.Sprintf("its %s hooks", state.Hooking.Moment()))
	case state.Assess:
		return "what would change is found out"
	case state.Form == policies.Held && !state.Applied:
		return "the stage is being applied"
	case state.Form == policies.Held && state.Reached.IsZero():
		return "all new pods of the stage to be Ready"
	case state.Form == policies.Held:
		return "the time of the stage"
	case state.Form == policies.Finishing:
		return "the last proven pods to be replaced"
	case state.Form == policies.Wave:
		return "the pods of the older release to be back"
	case state.Form == policies.Aborting, state.Form == policies.Returning:
		return "the pods that are not proven to go"
	}
	return ""
}
