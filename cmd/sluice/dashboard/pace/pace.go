package pace

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Config says how much each may ask.
type Config struct {
	// PerSecond and Burst are of those who enter. A zero PerSecond is none: nobody enters once Burst is used up.
	PerSecond float64
	Burst     int
	// Open is how many of one may be within at a time. 0: any number.
	Open int
	// Most are remembered at once; above that, who is new has to wait until others are forgotten. 0: 8192, of 200 bytes each.
	Most int
}

// Each counts for each who asks. It may be used concurrently.
type Each struct {
	config Config

	mu     sync.Mutex
	askers map[string]*asker
}

// asker is one who asked.
type asker struct {
	rate *rate.Limiter
	open int
}

// New makes an Each that remembers nobody.
func New(config Config) *Each {
	if config.Most == 0 {
		config.Most = 8192
	}
	return &Each{config: config, askers: map[string]*asker{}}
}

// Enter lets somebody in, who has to leave. False: not now, and there is nothing to leave.
func (e *Each) Enter(who string, now time.Time) (leave func(), ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.asker(who, now)
	if a == nil || e.config.Open > 0 && a.open >= e.config.Open || !a.rate.AllowN(now, 1) {
		return nil, false
	}
	a.open++
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		a.open--
	}), true
}

// May reports whether somebody could enter, and counts nothing.
func (e *Each) May(who string, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.asker(who, now)
	return a != nil && a.rate.TokensAt(now) >= 1
}

// asker is remembered from now on; nil: there are too many.
func (e *Each) asker(who string, now time.Time) *asker {
	a := e.askers[who]
	if a == nil {
		if len(e.askers) >= e.config.Most {
			e.forget(now)
		}
		if len(e.askers) >= e.config.Most {
			return nil
		}
		a = &asker{rate: rate.NewLimiter(rate.Limit(e.config.PerSecond), e.config.Burst)}
		e.askers[who] = a
	}
	return a
}

// forget forgets whom it would treat like somebody new.
func (e *Each) forget(now time.Time) {
	for who, a := range e.askers {
		if a.open == 0 && a.rate.TokensAt(now) >= float64(e.config.Burst) {
			delete(e.askers, who)
		}
	}
}

// Address is whom a connection is from: the address, of IPv6 the network of 64 bits that one household has. Local reports loopback.
func Address(remote string) (who string, local bool) {
	at, err := netip.ParseAddrPort(remote)
	if err != nil {
		return remote, false
	}
	address := at.Addr().Unmap().WithZone("")
	if address.Is4() {
		return address.String(), address.IsLoopback()
	}
	return netip.PrefixFrom(address, 64).Masked().String(), address.IsLoopback()
}
