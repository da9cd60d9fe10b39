package reconciler

import (
	"net/http"
	"strconv"

	"k8s.io/client-go/rest"
)

// counted counts the requests of every client that is made of a configuration.
func (m *metrics) counted(conf *rest.Config, cluster string) {
	conf.Wrap(func(next http.RoundTripper) http.RoundTripper { return counter{next, m, cluster} })
}

// counter counts requests. Those of the command line tools count nowhere: only the agent has one.
type counter struct {
	next    http.RoundTripper
	metrics *metrics
	cluster string
}

// RoundTrip implements http.RoundTripper.
func (c counter) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	code := "none"
	if err == nil {
		code = strconv.Itoa(response.StatusCode)
	}
	c.metrics.api.WithLabelValues(c.cluster, verb(request), code).Inc()
	return response, err
}

// WrappedRoundTripper lets client-go find the transport below.
func (c counter) WrappedRoundTripper() http.RoundTripper { return c.next }

// verb is what a request does, in the words of Kubernetes; a list counts as a get.
func verb(request *http.Request) string {
	query := request.URL.Query()
	switch {
	case request.Method == http.MethodGet && query.Get("watch") != "" && query.Get("watch") != "false":
		return "watch"
	case query.Get("dryRun") != "":
		return "dry-run"
	}
	switch request.Method {
	case http.MethodPost:
		return "create"
	case http.MethodPut:
		return "update"
	case http.MethodPatch:
		return "patch"
	case http.MethodDelete:
		return "delete"
	}
	return "get"
}
