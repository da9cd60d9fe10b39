package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/reconciler"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// overlook serves the dashboard of an agent. Where nobody said an address, and the usual one is taken, as by another agent of
// this machine, the agent does its work without.
func overlook(rules *config.Agent, agent *reconciler.Agent, log *slog.Logger) (stop func(), err error) {
	made := dashboard.Config{Source: agent.View(), Title: rules.Dashboard.Title, Links: linksOf(rules.Dashboard.Links), Log: log}
	if err := guard(&made, rules.Dashboard, agent.ReadCredentials, log); err != nil {
		return nil, err
	}
	server, err := dashboard.New(made)
	if err != nil {
		return nil, err
	}
	stop, err = listenLong(context.Background(), rules.Dashboard.Listen, server, log)
	if errors.Is(err, syscall.EADDRINUSE) && rules.Dashboard.Listen == config.DefaultDashboard {
		log.Warn("Dashboard is not served: its address is in use; say another in agent.yaml, or none", "address", config.DefaultDashboard)
		return func() {}, nil
	}
	return stop, err
}

// linksOf are the templates of agent.yaml as the dashboard has them.
func linksOf(l config.DashboardLinks) dashboard.Links {
	made := dashboard.Links{Commit: bracedOnce(l.Commit), Request: bracedOnce(l.Request)}
	for _, more := range l.More {
		made.More = append(made.More, dashboard.Link{Text: more.Text, Address: bracedOnce(more.Address)})
	}
	return made
}

// bracedOnce turns {{.App}} into {app}, and so on: a template of another kind that nothing can be run in.
func bracedOnce(text string) string {
	var made strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{{")
		name, after, closed := strings.Cut(rest, "}}")
		made.WriteString(before)
		if !found || !closed {
			return made.String()
		}
		made.WriteString("{" + strings.ToLower(strings.Trim(name, " .")) + "}")
		text = after
	}
}

// listenLong is [listen] for pages that people keep open: answers that go on may last, each as long as its handler says, and
// end when the agent does.
func listenLong(ctx context.Context, address string, handler http.Handler, log *slog.Logger) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	closes, err := serveAt(address, &http.Server{
		Handler: bodiesInTime(handler), ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10, BaseContext: func(net.Listener) context.Context { return ctx },
	}, log)
	if err != nil {
		cancel()
		return nil, err
	}
	return func() { cancel(); closes() }, nil
}

// bodiesInTime bounds the time in which a request's body comes. Without one there is nothing to wait for, and a deadline would
// end the answer.
func bodiesInTime(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
				http.Error(w, "bodies are not read here", http.StatusBadRequest)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}
