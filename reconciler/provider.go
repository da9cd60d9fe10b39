package reconciler

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"k8s.io/client-go/util/workqueue"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/rollout/analysis"
)

// perProvider is how many questions one provider is asked at once. Each has its own askers, so that one that hangs delays
// nobody who asks another.
const perProvider = 8

// provider answers the questions in its queue: one of agent.yaml, or what runs Jobs.
type provider struct {
	config.Provider
	prometheus  *analysis.Prometheus
	web         *analysis.Web
	credentials *credentials // nil where it needs none
	queue       workqueue.TypedDelayingInterface[*question]
}

// newProviders makes those of agent.yaml, by name, and the one that runs Jobs, which has no name.
func (a *Agent) newProviders() map[string]*provider {
	made := map[string]*provider{"": {queue: workqueue.NewTypedDelayingQueue[*question]()}}
	for _, p := range a.config.Providers {
		one := &provider{Provider: p, queue: workqueue.NewTypedDelayingQueue[*question]()}
		server := analysis.Server{Timeout: p.Timeout.Std()}
		if p.Prometheus != nil {
			server.URL = p.Prometheus.URL
		} else {
			server.URL = p.Web.URL
		}
		one.credentials = a.credentialsOf(fmt.Sprintf("provider %q", p.Name), p.Credentials)
		server.Transport = &entrance{address: server.URL, credentials: one.credentials}
		one.prometheus, one.web = &analysis.Prometheus{Server: server}, &analysis.Web{Server: server}
		made[p.Name] = one
	}
	return made
}

// read asks a provider of agent.yaml.
func (pr *provider) read(ctx context.Context, q *question) policies.Reading {
	if q.of.Path != "" {
		return pr.reading(pr.web.Ask(ctx, q.of.Path, q.of.JSONPath))
	}
	canary, stable, _ := q.pods()
	r := pr.query(ctx, q, canary, stable)
	if q.of.Compare == "" || r.Result != "" {
		return r
	}
	other := pr.query(ctx, q, stable, stable)
	if other.Result != "" {
		other.Says = "of the stable pods: " + other.Says
		return other
	}
	r.Stable = other.Value
	return r
}

// query asks a query about pods. A matcher of no pods at all would match what has no pod.
func (pr *provider) query(ctx context.Context, q *question, canary, stable []string) policies.Reading {
	for name, pods := range map[string][]string{"Canary": canary, "Stable": stable} {
		if len(pods) == 0 && q.of.Uses(name) {
			return policies.Reading{Result: policies.NoData, Says: "there are no pods for {{." + name + "}}"}
		}
	}
	text, err := q.of.Expand(config.Names{
		App: q.target.key.Application, Env: q.target.key.Environment, Canary: config.PodMatcher(canary), Stable: config.PodMatcher(stable),
	})
	if err != nil {
		return policies.Reading{Result: policies.NoAnswer, Says: err.Error()}
	}
	return pr.reading(pr.prometheus.Ask(ctx, text))
}

// reading is an answer in the words of the policies. A server that repeats the credentials does not get them further.
func (pr *provider) reading(answer analysis.Answer, err error) policies.Reading {
	if errors.Is(err, analysis.ErrRefused) {
		pr.credentials.forget()
	}
	r := policies.Reading{Value: answer.Value}
	switch {
	case err != nil:
		r = policies.Reading{Result: policies.NoAnswer, Says: err.Error()}
	case answer.Missing != "":
		r = policies.Reading{Result: policies.NoData, Says: answer.Missing}
	case answer.Bad != "":
		r = policies.Reading{Result: policies.Bad, Says: answer.Bad}
	case answer.Good != "":
		r = policies.Reading{Result: policies.Good, Says: answer.Good}
	}
	mask := pr.credentials.texts().mask
	r.Value, r.Says = mask(r.Value), mask(r.Says)
	return r
}

// texts are the credentials as an answer might repeat them.
func (c *credentials) texts() secretTexts {
	if c == nil {
		return secretTexts{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	password := c.last.Password.Reveal()
	return newSecretTexts([]string{
		password, c.last.Token.Reveal(), base64.StdEncoding.EncodeToString([]byte(c.last.Username + ":" + password)),
		url.QueryEscape(password), url.QueryEscape(c.last.Token.Reveal()),
	})
}

// unaskable says which analyses of the rules nobody answers.
func (p *Pass) unaskable() string {
	var faults []string
	for _, a := range p.Rules.Rollout.Analysis {
		if a.Job != "" {
			continue
		}
		if why := p.mayAsk(a); why != "" {
			faults = append(faults, fmt.Sprintf("rollout.analysis[%s].provider: %s", a.Name, why))
		}
	}
	slices.Sort(faults)
	return strings.Join(faults, "; ")
}

// mayAsk says why an analysis cannot ask the provider that it names.
func (p *Pass) mayAsk(a config.Analysis) string {
	found, ok := p.agent.config.Provider(a.Provider, p.Application)
	switch {
	case !ok:
		return fmt.Sprintf("agent.yaml has no provider %q for application %q", a.Provider, p.Application)
	case a.Query != "" && found.Prometheus == nil:
		return fmt.Sprintf("provider %q takes paths, not queries", a.Provider)
	case a.Path != "" && found.Web == nil:
		return fmt.Sprintf("provider %q takes queries, not paths", a.Provider)
	}
	return ""
}
