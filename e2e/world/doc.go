// Package world is what the stories and the benchmark happen in: a real control plane, a real Git server and the
// built program, driven from outside as a user and as an administrator would.
//
// A World is shared by all stories of a run: the cluster, and where the binaries are. A Story has everything else
// for itself: namespaces, a Git server with one repository, a state namespace and a service account for its agent
// with exactly the rights of examples/install, so that stories run side by side and break only what is theirs.
//
//	w, err := world.Open(ctx)                 // once, in TestMain
//	s := world.NewStory(t, w, "revert")
//	s.Shop(t)                                 // examples/01-plain, in the story's namespaces
//	first := s.Repo.Commit(t, "The shop")     // and pushes it
//	s.Agent.Start(t)
//	s.AwaitPhase(t, "staging", first, "Healthy")
//
// A story whose repository shall lie at a real forge says so before anything is in it:
//
//	p := s.AtForge(t)
//	m := p.AwaitMergeRequest(t, "promotion", func(m world.MergeRequest) bool { return m.Author.Login == p.Agent.Name })
//	p.Merge(t, m.Number, world.Squash)
//
// Nothing here sleeps to let time pass: objects are watched, notes and logs are looked at until they say what the
// story waits for, and a deadline ends the wait with what was seen last. When a story fails, its cleanup prints the
// status, the events and the last lines of the agent's log.
//
// The package knows Sluice only by what users see of it: files, notes, labels, metrics, the command line.
package world
