// Package dashboardtest is a world to look at: sources with everything in them that a dashboard may have to show, for tests and
// for the browser that looks at its pages. Nothing of it is in the program.
//
//	source := dashboardtest.Rich(now)
//	server, err := dashboard.New(dashboard.Config{Source: source, Gate: dashboard.Everybody{}})
package dashboardtest
