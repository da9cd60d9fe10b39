package promote

import (
	"context"
	"fmt"
)

// Fallen is a release that failed, and was taken back. The zero value: none was.
type Fallen struct {
	Revision, Reason string
	Proven           string // the revision that serves again
}

// Revert keeps the merge request that has Git say what serves after a failure: the pin goes back. It is withdrawn when
// something newer is pinned, or the failed release is not what is pinned any more. A person who closed it is not asked again.
func (k *Keeper) Revert(ctx context.Context, s Subject, fallen Fallen) (Outcome, error) {
	lane := s.revertLane()
	known, err := k.requests(ctx, lane)
	if err != nil {
		return Outcome{}, err
	}
	if fallen.Proven == "" || s.Release.Revision != fallen.Revision {
		return Outcome{}, k.withdraw(ctx, lane, known, "it is not what is pinned any more")
	}
	if known.request.Number == 0 && known.closed == fallen.Revision {
		return Outcome{Reason: "a person closed the request to go back"}, nil
	}
	text := fmt.Sprintf("%.7s failed in **%s** and was taken back: %s\n\nThe proven release %s serves again. Merge this to have Git say so; "+
		"a fix that is promoted does as well.\n\n"+askedMark+"\n", fallen.Revision, s.Environment, plain(fallen.Reason), fallen.Proven, fallen.Revision)
	request, err := k.keep(ctx, lane, known, ask{
		revision: fallen.Proven, title: fmt.Sprintf("Revert %s in %s to %.7s", s.Application, s.Environment, fallen.Proven), text: text,
	})
	return Outcome{Candidate: fallen.Proven, Due: true, Reason: "the pin is to go back to " + fallen.Proven[:7], Request: request}, err
}
