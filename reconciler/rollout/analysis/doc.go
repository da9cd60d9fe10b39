// Package analysis asks what is measured of new pods: a Prometheus, a web server, or a Job of the application's own.
//
//	prometheus := &analysis.Prometheus{Server: analysis.Server{URL: url, Timeout: 10 * time.Second}}
//	answer, err := prometheus.Ask(ctx, `sum(rate(errors{pod=~"web-5d9c7-abc"}[1m]))`)
//
// An [Answer] is a value, the reason why there is none, or what the provider itself thinks; whether a value is good it does
// not know. An error says that the provider could not be asked. It knows nothing of stages, tallies and time.
//
// It refuses to follow an answer to another host, to read more than a mebibyte, to wait longer than it was told, and to say
// in an error what a server sent, except for the error that Prometheus explains a query with. Credentials come with the
// transport, and are never seen here.
//
// Prometheus is asked by net/http and encoding/json: of the API one call is needed, and client_golang's client for it reads
// answers of any size and brings a second JSON library.
package analysis
