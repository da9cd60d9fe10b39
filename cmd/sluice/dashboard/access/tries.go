package access

import (
	"net/http"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/pace"
)

// tries counts what went wrong: of one name from one address, of one address, and in all. Behind a proxy everybody has one address,
// so who forgot a password uses up their own tries long before those of the others.
type tries struct{ names, addresses, all *pace.Each }

// often is how often something may go wrong.
type often struct {
	perSecond float64
	burst     int
}

func newTries(name, address, all often) *tries {
	each := func(of often) *pace.Each { return pace.New(pace.Config{PerSecond: of.perSecond, Burst: of.burst}) }
	return &tries{each(name), each(address), each(all)}
}

// may reports whether one more is allowed.
func (t *tries) may(r *http.Request, name string, now time.Time) bool {
	address, _ := pace.Address(r.RemoteAddr)
	return t.names.May(address+" "+name, now) && t.addresses.May(address, now) && t.all.May("", now)
}

// count counts one.
func (t *tries) count(r *http.Request, name string, now time.Time) {
	address, _ := pace.Address(r.RemoteAddr)
	for each, who := range map[*pace.Each]string{t.names: address + " " + name, t.addresses: address, t.all: ""} {
		if leave, ok := each.Enter(who, now); ok {
			leave()
		}
	}
}
