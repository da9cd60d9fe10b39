package access

import (
	"net/http"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/pace"
)

// tries counts what went wrong, by address and for all.
type tries struct{ addresses, all *pace.Each }

func newTries(perSecond float64, burst int, perSecondInAll float64, burstInAll int) *tries {
	return &tries{
		pace.New(pace.Config{PerSecond: perSecond, Burst: burst}),
		pace.New(pace.Config{PerSecond: perSecondInAll, Burst: burstInAll}),
	}
}

// may reports whether one more is allowed.
func (t *tries) may(r *http.Request, now time.Time) bool {
	address, _ := pace.Address(r.RemoteAddr)
	return t.addresses.May(address, now) && t.all.May("", now)
}

// count counts one.
func (t *tries) count(r *http.Request, now time.Time) {
	address, _ := pace.Address(r.RemoteAddr)
	for each, who := range map[*pace.Each]string{t.addresses: address, t.all: ""} {
		if leave, ok := each.Enter(who, now); ok {
			leave()
		}
	}
}
