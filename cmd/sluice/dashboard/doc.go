// Package dashboard is the page that people keep open: what runs where, is it well, what is waiting, and why.
//
// It is read-only by nature. It answers GET and HEAD, holds no credential that could write, and is handed nothing but a
// [view.Source], whose data are copies. What a person may do is shown as the command or the address that does it.
//
// Every answer is made of what its viewer may see: each request gets the source through [Viewer], so that a page cannot show
// what it was not given, and what is forbidden looks like what is absent. Pages are whole HTML that says the truth without
// JavaScript. With it, a page asks for itself again when something changed, and takes over the parts that differ.
//
//	server, err := dashboard.New(dashboard.Config{Source: agent, Gate: dashboard.Everybody{}})
//	http.Serve(listener, server)
package dashboard
