package reconciler

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/view"
)

const (
	// calendarSpan is how far windows are told ahead, and calendarAge how often they are looked at.
	calendarSpan = 7 * 24 * time.Hour
	calendarAge  = 10 * time.Minute
	// mostSpans bounds what is told of one environment, and mostWindows all of it: more is no calendar that anybody reads.
	mostSpans   = 50
	mostWindows = 1000
)

// calendar is when changes may begin, as it was worked out last.
type calendar struct {
	mu      sync.Mutex
	tips    string
	at      time.Time
	windows []view.Window
}

// windowsAt are the next windows, the soonest first. Where all that binds an environment is in agent.yaml they name no
// application.
func (v *View) windowsAt(now time.Time) []view.Window {
	c, tips := &v.calendar, v.agent.catalog.tips()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tips == tips && now.Sub(c.at) < calendarAge && !c.at.IsZero() {
		return c.windows
	}
	c.tips, c.at, c.windows = tips, now, v.ahead(now)
	return c.windows
}

func (v *View) ahead(now time.Time) (all []view.Window) {
	known, told := map[string][]policies.Span{}, map[string]bool{}
	forSome := slices.ContainsFunc(v.agent.config.Windows, func(w config.BindingWindow) bool { return len(w.Applications) > 0 })
	places := v.agent.catalog.all()
	for _, name := range slices.Sorted(maps.Keys(places)) {
		for _, env := range places[name].app.Environments {
			windows := WindowsOf(v.agent.config, name, env)
			if !v.agent.serves(env.Name) || len(windows) == 0 {
				continue
			}
			var texts []string
			for _, w := range windows {
				texts = append(texts, w.Text())
			}
			of, text := view.Key{Application: name, Environment: env.Name}, strings.Join(texts, "; ")
			if len(env.Windows) == 0 && !forSome {
				of.Application = ""
			}
			if told[of.String()+text] {
				continue
			}
			told[of.String()+text] = true
			spans, ok := known[text]
			if !ok {
				spans = policies.Spans(windows, now, now.Add(calendarSpan), mostSpans)
				known[text] = spans
			}
			for _, s := range spans {
				all = append(all, view.Window{Key: of, Allow: s.Open, From: s.From, Until: s.Until, Text: text, Reason: oneLine(s.Reason)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b view.Window) int {
		return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Key.String(), b.Key.String()))
	})
	return all[:min(len(all), mostWindows)]
}
