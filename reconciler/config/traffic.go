package config

import (
	"regexp"
	"time"
)

// Traffic shares the traffic of one route out by weight while a canary is in its stages, and only what goes through that
// route. The agent splits each of its backends that is the Service into two Services of its own, NAME-stable and NAME-canary,
// which select proven and new pods. Between releases the route and the Services are exactly Git's. With capacity surge all
// proven pods stay until the new ones, as many, have all traffic. With replace new pods take their places a few at a time
// after the last stage, and the weight follows their share.
type Traffic struct {
	// HTTPRoute is the name of a Gateway API HTTPRoute of the manifests. Exactly one of httpRoute and virtualService.
	HTTPRoute string `json:"httpRoute,omitempty"`
	// VirtualService is the name of an Istio VirtualService of the manifests. Its http routes are split. Since Istio says
	// of it by default not whether it is in force, what was applied counts as such.
	VirtualService string `json:"virtualService,omitempty"`
	// Service is the Service of the manifests that the route sends to. It selects the pods of one Deployment.
	Service string `json:"service"`
	// Drain is how long pods are kept that the route has stopped sending to: 10s where it is not said.
	Drain Duration `json:"drain,omitempty"`
	// WarmUp is how long the weight of a stage takes to rise, in ten steps. Without it the weight is there at once.
	WarmUp Duration `json:"warmUp,omitempty"`
	// Testers sends requests with a header to the new pods, whatever the weight, as soon as the first stage has its own.
	Testers *Testers `json:"testers,omitempty"`
}

// Testers are known by a header of their requests.
type Testers struct {
	// Header is its name, such as X-Canary.
	Header string `json:"header"`
	// Value is what it must be, exactly.
	Value string `json:"value"`
}

// defaultDrain: a proxy has the new weights a second or two after it accepted them, and most requests are over in 5.
const defaultDrain = 10 * time.Second

// longestService leaves room for -stable and -canary in a name of 63 characters.
const longestService = 56

var headerForm = regexp.MustCompile(`^[A-Za-z0-9!#$%&'*+.^_|~-]{1,256}$`)

func checkTraffic(d *document, at string, r Rollout) {
	t := r.Traffic
	if t == nil {
		return
	}
	at += ".traffic"
	if r.Canary == nil {
		d.reject(at, "must not be there without rollout.canary: only stages share traffic out")
	}
	if (t.HTTPRoute == "") == (t.VirtualService == "") {
		d.reject(at, "must have exactly one of httpRoute and virtualService")
	}
	for field, name := range map[string]string{".httpRoute": t.HTTPRoute, ".virtualService": t.VirtualService} {
		if name != "" && !isSubdomain(name) {
			d.reject(at+field, "must be the name of an object %s", got(name))
		}
	}
	if d.label(at+".service", t.Service) && len(t.Service) > longestService {
		d.reject(at+".service", "must be at most %d characters long, to leave room for -stable and -canary %s", longestService, got(t.Service))
	}
	for field, long := range map[string]Duration{".drain": t.Drain, ".warmUp": t.WarmUp} {
		if long > Duration(day) {
			d.reject(at+field, "must be at most 1d %s", got(long.String()))
		}
	}
	if t.Testers == nil {
		return
	}
	if !headerForm.MatchString(t.Testers.Header) {
		d.reject(at+".testers.header", "must be the name of an HTTP header %s", got(t.Testers.Header))
	}
	if t.Testers.Value == "" || len(t.Testers.Value) > 4096 || hasControl(t.Testers.Value) {
		d.reject(at+".testers.value", "must be the value of an HTTP header %s", got(t.Testers.Value))
	}
}
