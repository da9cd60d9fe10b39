// Command devdashboard serves the dashboard of a made-up world on a loopback address, for development and for the browser of the
// end-to-end tests.
//
//	devdashboard [--listen ADDR]
//
// It prints the address of each world as one line of JSON: rich, calm, many, notes, empty and hostile, and broken, whose source answers
// nothing.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/dashboardtest"
	"github.com/sluice-cd/sluice/reconciler/view"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	listen := flag.String("listen", "127.0.0.1:0", "address of the first world; the others are on ports of their own")
	flag.Parse()
	now := time.Now()
	broken := dashboardtest.Empty(now)
	broken.Break(errors.New("made to fail"))
	worlds := map[string]*dashboardtest.Source{
		"rich": dashboardtest.Rich(now), "calm": dashboardtest.Calm(now), "many": dashboardtest.Many(now, 1000), "notes": dashboardtest.FromNotes(now),
		"empty": dashboardtest.Empty(now), "hostile": dashboardtest.Hostile(now), "broken": broken,
	}
	addresses := map[string]string{}
	for _, name := range []string{"rich", "calm", "many", "notes", "empty", "hostile", "broken"} {
		address, err := serve(ctx, *listen, worlds[name])
		if err != nil {
			return err
		}
		addresses[name], *listen = "http://"+address, "127.0.0.1:0"
	}
	if err := json.NewEncoder(os.Stdout).Encode(addresses); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// serve shows one world. POST /_dev/change has something befall it: an application fails.
func serve(ctx context.Context, listen string, world *dashboardtest.Source) (string, error) {
	shown, err := dashboard.New(dashboard.Config{
		Source: world, Gate: dashboard.Everybody{}, Title: "example, eu-1",
		Links: dashboard.Links{
			Commit: "https://git.example.com/{repository}/apps/commit/{revision}", Request: "https://git.example.com/{repository}/pulls/{request}",
			More: []dashboard.Link{{Text: "Grafana", Address: "https://grafana.example.com/d/app?var-namespace={namespace}"}, {Text: "Logs", Address: "https://logs.example.com/?ns={namespace}"}},
		},
	})
	if err != nil {
		return "", err
	}
	mux := http.NewServeMux()
	mux.Handle("/", shown)
	mux.HandleFunc("POST /_dev/change", func(w http.ResponseWriter, r *http.Request) {
		world.Change(func(b *view.Board) {
			for i := range b.Cells {
				if c := &b.Cells[i]; c.Application == r.FormValue("app") && c.Environment == r.FormValue("env") {
					c.Phase, c.Reason, c.Health, c.Since = r.FormValue("phase"), r.FormValue("reason"), view.Sick, time.Now()
				}
			}
		})
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return listener.Addr().String(), nil
}
