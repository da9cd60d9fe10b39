package reconciler

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

// newFetcher keeps charts from elsewhere beside the mirrors, and fetches them from the servers of agent.yaml alone.
func (a *Agent) newFetcher() (*elsewhere.Fetcher, error) {
	servers := map[*config.ChartServer]elsewhere.Server{}
	for i := range a.config.Charts {
		c := &a.config.Charts[i]
		u, err := url.Parse(c.URL)
		if err != nil {
			return nil, fmt.Errorf("charts of agent.yaml: %w", err)
		}
		of, conf := a.credentialsOf(fmt.Sprintf("charts of %q", c.URL), c.Credentials), charts.Config{Host: u.Host, PlainHTTP: c.PlainHTTP}
		if of != nil {
			conf.Credentials = of.get
		}
		store := charts.NewStore(filepath.Join(a.config.DataDir, "charts", fmt.Sprintf("%x", sha256.Sum256([]byte(c.URL)))), charts.DefaultLimit)
		servers[c] = elsewhere.Server{Server: charts.NewServer(conf), Store: store, Name: u.Host, Refused: of.forget}
	}
	return elsewhere.NewFetcher(elsewhere.FetcherConfig{Now: a.now, Server: func(l config.Locked) (elsewhere.Server, error) {
		c, err := a.chartServer(l)
		return servers[c], err
	}}), nil
}

func (a *Agent) chartServer(l config.Locked) (*config.ChartServer, error) {
	c, ok := a.config.ChartServer(l.URL)
	if !ok {
		return nil, fmt.Errorf("%s is %w: add it, or the part of the server that it is in, under charts", addressOf(l), elsewhere.ErrForbidden)
	}
	return c, nil
}

// addressOf is where a chart is, without what may be a secret.
func addressOf(l config.Locked) string {
	address, _, _ := strings.Cut(l.URL, "?")
	return address
}

// mayHave says whether an application may have a chart from elsewhere. What was fetched for others is no exception.
func (a *Agent) mayHave(application string) func(config.Locked) error {
	return func(l config.Locked) error {
		c, err := a.chartServer(l)
		if err == nil && !c.Serves(application) {
			err = fmt.Errorf("%s is %w that %s may have: add it to charts[].applications of %s", addressOf(l), elsewhere.ErrForbidden, application, c.URL)
		}
		return err
	}
}

// chartsOf are the charts from elsewhere that an application may have.
func (a *Agent) chartsOf(application string) elsewhere.Source {
	may := a.mayHave(application)
	return func(l config.Locked) ([]byte, error) {
		if err := may(l); err != nil {
			return nil, err
		}
		return a.charts.Get(l)
	}
}

// over lays the charts from elsewhere over a revision.
func (p *Pass) over(tree *gitsource.Tree) *elsewhere.Tree {
	over := elsewhere.Over(tree, p.agent.chartsOf(p.Application))
	over.May = p.agent.mayHave(p.Application)
	return over
}

// fetch has the charts fetched that a render failed for. Until they are there nothing new starts; where only somebody else's
// change will help, the revision is refused.
func (p *Pass) fetch(missing []elsewhere.Missing, err error) {
	t := p.target
	t.trace, _ = render.TraceOf(err)
	t.fetching = true
	var waits, refused []string
	for _, l := range missing {
		if errors.Is(l.Err, elsewhere.ErrForbidden) {
			refused = append(refused, l.Err.Error())
			continue
		}
		state := p.agent.charts.Want(l.Locked, p.Key, func() { p.agent.queue.Add(p.Key) })
		text := state.Describe(l.Locked).Error()
		if !state.Again.IsZero() {
			p.Again = sooner(p.Again, max(state.Again.Sub(p.agent.now()), firstRetry))
		}
		if waits = append(waits, text); state.Lasting() {
			refused = append(refused, text)
		}
	}
	if len(refused) > 0 {
		slices.Sort(refused)
		t.refusal = strings.Join(slices.Compact(refused), "; ")
		return
	}
	slices.Sort(waits)
	p.Fetching = strings.Join(slices.Compact(waits), "; ")
}
