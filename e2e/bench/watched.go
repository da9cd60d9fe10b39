package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/e2e/world"
)

// Who looks at the dashboard: people with the page open, and some whose connection takes nothing any more.
const (
	viewers     = 200
	slowViewers = 20
	firstBytes  = 20 // of how many pages the first byte is measured
)

// watchedFigures are of a dashboard of many applications that many people keep open.
func watchedFigures() []string {
	return names("agent-watched", "applied", "cpu", "memory", "idle-cpu", "pages", "first-byte", "first-byte-worst", "page-size",
		"alone-applied", "alone-cpu", "alone-memory", "alone-idle-cpu")
}

// watched is an agent with many applications, each in two environments, whose dashboard is looked at.
type watched struct {
	*bed
	report       *report
	options      options
	story        *world.Story
	applications int
}

// measureWatched releases all applications twice, first while nobody looks, then while many do, and has both at rest too.
func measureWatched(b *bed, r *report, o options) {
	w := &watched{bed: b, report: r, options: o, story: b.begin(o, "watched"), applications: 10 * o.applications}
	s := w.story
	s.Git = world.StartGit(b, s.DevGit, filepath.Join(s.Dir, "git"))
	s.Repo = s.Git.NewRepo(b, "monorepo", filepath.Join(s.Dir, "monorepo"))
	shareBase(b, s, w.applications)
	s.Repo.Commit(b, "All applications")
	s.Agent = s.NewAgent(b, s.Name, s.System, s.Repo)
	repo := &s.Agent.Config.Repositories[0]
	repo.Applications = map[string]any{"path": applicationsGlob}
	repo.Poll = map[string]any{"interval": interval}
	repo.WriteBack = nil // as users have it
	b.Logf("An agent, cold, %d applications", w.applications)
	s.Agent.Start(b)
	w.await(s, "objects", func() error { return hasValue(b.ctx, s, w.applications, "one") })
	w.firstByte()
	alone := w.release("alone", "one", "two")
	ctx, stop := context.WithCancel(b.ctx)
	b.Logf("%d viewers, and %d slow ones", viewers, slowViewers)
	pages := w.look(ctx)
	seen := w.release("", "two", "three")
	stop()
	r.add("agent-watched-pages", float64(pages()), "pages", "")
	if seen.memory < alone.memory {
		b.Errorf("the largest size shrank from %.0f to %.0f MiB", alone.memory, seen.memory)
	}
}

// firstByte measures how soon the home page comes, and how large it is.
func (w *watched) firstByte() {
	var took []time.Duration
	size := 0
	for range firstBytes {
		began := time.Now()
		answer, err := http.Get("http://" + w.address() + "/")
		w.must(err, "get the home page")
		first, err := bufio.NewReader(answer.Body).ReadByte()
		took = append(took, time.Since(began))
		w.must(err, "read the home page")
		rest, err := io.ReadAll(answer.Body)
		w.must(err, "read the home page")
		w.must(answer.Body.Close(), "read the home page")
		if answer.StatusCode != http.StatusOK || first != '<' {
			w.Fatalf("the home page is %s", answer.Status)
		}
		size = max(size, int(answer.ContentLength), len(rest))
	}
	slices.Sort(took)
	w.report.add("agent-watched-first-byte", took[len(took)/2].Seconds(), "s", "")
	w.report.add("agent-watched-first-byte-worst", took[len(took)-1].Seconds(), "s", "")
	w.report.add("agent-watched-page-size", float64(size)/1024, "KiB", "")
}

func (w *watched) address() string { return w.story.Agent.Config.Dashboard["listen"].(string) }

// watching is what a release and a rest took.
type watching struct{ memory float64 }

// release changes the base, and then has the agent at rest for a while. Figures of a part are compared with those of alone.
func (w *watched) release(part, before, value string) watching {
	name := "agent-watched-"
	to := func(figure string) string { return name + "alone-" + figure }
	if part != "" {
		name, to = name+part+"-", func(string) string { return "" }
	}
	agent := processes(w.story.Agent.PID())
	w.story.Repo.Edit(w, sharedBase, before, value)
	w.story.Repo.CommitOnly(w, "The base")
	cpu, began := agent.cpu(), time.Now()
	w.story.Repo.Push(w)
	w.await(w.story, "objects", func() error { return hasValue(w.ctx, w.story, w.applications, value) })
	w.report.add(name+"applied", time.Since(began).Seconds(), "s", to("applied"))
	w.report.add(name+"cpu", (agent.cpu() - cpu).Seconds(), "s", to("cpu"))
	w.await(w.story, "notes", func() error { return w.isTold() })
	memory, err := agent.memory()
	w.must(err, "measure memory")
	w.report.add(name+"memory", memory, "MiB", to("memory"))
	cpu, began = agent.cpu(), time.Now()
	select {
	case <-time.After(w.options.idle / 2): // the time itself is what is looked at
	case <-w.ctx.Done():
		w.Fatal(w.ctx.Err())
	}
	w.report.add(name+"idle-cpu", 100*(agent.cpu()-cpu).Seconds()/time.Since(began).Seconds(), "%", to("idle-cpu"))
	return watching{memory}
}

// isTold says whether Git was told of each application in each environment.
func (w *watched) isTold() error {
	revision := w.story.Repo.Head(w)
	for _, environment := range []string{"staging", "production"} {
		if err := hasLines(w.story, environment, revision, w.applications); err != nil {
			return err
		}
	}
	return nil
}

// look has the viewers look until ctx ends, and returns what counts the pages that they got.
func (w *watched) look(ctx context.Context) (pages func() int64) {
	var all sync.WaitGroup
	counts := make([]int64, viewers)
	transport := &http.Transport{MaxIdleConnsPerHost: viewers}
	client := &http.Client{Transport: transport}
	for i := range viewers {
		all.Go(func() {
			v := viewer{client: client, at: "http://" + w.address()}
			for ctx.Err() == nil {
				v.watch(ctx, &counts[i])
			}
		})
	}
	for range slowViewers {
		all.Go(func() { stall(ctx, w.address()) })
	}
	return func() (sum int64) {
		all.Wait()
		transport.CloseIdleConnections()
		for _, n := range counts {
			sum += n
		}
		return sum
	}
}

// viewer is a browser with the home page open.
type viewer struct {
	client  *http.Client
	at, tag string
}

// watch listens for changes, and looks again at each, as the page's script does.
func (v *viewer) watch(ctx context.Context, pages *int64) {
	stream, err := v.get(ctx, "/events")
	if err != nil {
		return
	}
	defer func() { _ = stream.Body.Close() }()
	for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
		if lines.Text() != "event: changed" {
			continue
		}
		page, err := v.get(ctx, "/")
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, page.Body); err == nil && page.StatusCode == http.StatusOK {
			*pages++
			v.tag = page.Header.Get("ETag")
		}
		_ = page.Body.Close()
	}
}

func (v *viewer) get(ctx context.Context, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, v.at+path, nil)
	if err != nil {
		return nil, err
	}
	if path == "/" && v.tag != "" {
		request.Header.Set("If-None-Match", v.tag)
	}
	return v.client.Do(request)
}

// stall asks for changes and pages, again and again, and takes none of them.
func stall(ctx context.Context, address string) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	for range 100 {
		if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: "+address+"\r\n\r\n"); err != nil {
			return
		}
	}
	<-ctx.Done()
}
