package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"

	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// serve opens the agent's listeners, and returns what closes them.
func serve(rules *config.Agent, agent *reconciler.Agent, registry *prometheus.Registry, log *slog.Logger) (func(), error) {
	var open []func()
	stop := func() {
		for _, one := range slices.Backward(open) {
			one()
		}
	}
	for _, one := range []struct {
		of     string // empty: it is what listen: says
		wanted bool
		open   func() (func(), error)
	}{
		{"webhooks: ", rules.Webhooks != nil, func() (func(), error) { return listen(rules.Webhooks.Listen, agent.Webhooks(), log) }},
		{"dashboard: ", rules.Dashboard.Listen != "none", func() (func(), error) { return overlook(rules, agent, log) }},
		// The last one: who gets an answer about health finds the others there.
		{"", rules.Listen != "none", func() (func(), error) { return listen(rules.Listen, figures(agent, registry), log) }},
	} {
		if !one.wanted {
			continue
		}
		closes, err := one.open()
		if err != nil {
			stop()
			return nil, fmt.Errorf("%s%w", one.of, err)
		}
		open = append(open, closes)
	}
	return stop, nil
}

// figures answers /metrics, /healthz and /readyz. It changes nothing for anybody.
func figures(agent *reconciler.Agent, registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !agent.Ready() {
			http.Error(w, "not connected to every cluster", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// mostConnections bounds what those who only connect cost the agent: some 10 KiB and a file each.
const mostConnections = 2048

// closing bounds the wait for answers that are under way when the agent ends.
const closing = 2 * time.Second

// listen serves at an address until it is told to stop. Whoever connects may be anybody: all that they send is bounded, in
// time too. Forges give a webhook 10 s, and do not come again.
func listen(address string, handler http.Handler, log *slog.Logger) (stop func(), err error) {
	return serveAt(address, &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second,
		MaxHeaderBytes: 16 << 10,
	}, log)
}

// serveAt has a server answer at an address until it is told to stop.
func serveAt(address string, server *http.Server, log *slog.Logger) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	listener = netutil.LimitListener(listener, mostConnections)
	server.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("Listener ended", "err", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			_ = server.Close() //nolint:errcheck // nothing is to be saved
		}
		<-done
	}, nil
}
