package config

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// Window says when changes may begin: exactly one of allow and deny, and for how long. Windows that deny win; with any that
// allows, changes begin only within one.
type Window struct {
	// Allow is a cron expression of five fields: minute, hour, day of the month, month, day of the week. From each firing on
	// changes may begin.
	Allow string `json:"allow,omitempty"`
	// Deny is the same of when no change may begin.
	Deny string `json:"deny,omitempty"`
	// For is how long it lasts from each firing on, whatever clocks do meanwhile; whole minutes, 1m to 365d.
	For Duration `json:"for"`
	// TimeZone of the expression is an IANA name, such as Europe/Berlin; UTC where none is named. A firing at an hour that is
	// skipped comes when the clocks jump, one at an hour that comes twice comes twice.
	TimeZone string `json:"timeZone,omitempty"`
}

// BindingWindow is a window that binds applications whatever their own files say.
type BindingWindow struct {
	// Applications are names or globs.
	Applications []string `json:"applications,omitempty"`
	// Environments are names or globs.
	Environments []string `json:"environments,omitempty"`
	// Allow is a cron expression of five fields: from each firing on changes may begin.
	Allow string `json:"allow,omitempty"`
	// Deny is the same of when no change may begin. One of allow and deny.
	Deny string `json:"deny,omitempty"`
	// For is how long it lasts from each firing on; whole minutes, 1m to 365d.
	For Duration `json:"for"`
	// TimeZone of the expression is an IANA name; UTC where none is named.
	TimeZone string `json:"timeZone,omitempty"`
}

// Override lets changes begin whatever windows say.
type Override struct {
	// Reason is told with each change that it lets begin.
	Reason string `json:"reason"`
	// Until is when it ends: a time with its zone, such as 2026-11-21T18:00:00Z.
	Until Moment `json:"until"`
}

// Moment is a point in time, written as RFC 3339 says.
type Moment time.Time

// Std is the standard library's type.
func (m Moment) Std() time.Time { return time.Time(m) }

// Equal reports whether two of them are the same point in time, whatever their zones.
func (m Moment) Equal(o Moment) bool { return m.Std().Equal(o.Std()) }

// UnmarshalText reads 2026-11-21T18:00:00Z or 2026-11-21T19:00:00+01:00.
func (m *Moment) UnmarshalText(text []byte) error {
	at, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return fmt.Errorf("must be a time with its zone such as 2026-11-21T18:00:00Z")
	}
	*m = Moment(at)
	return nil
}

// MarshalText writes 2026-11-21T18:00:00Z.
func (m Moment) MarshalText() ([]byte, error) { return time.Time(m).MarshalText() }

// window is the part of it that is one of an application too.
func (w BindingWindow) window() Window {
	return Window{Allow: w.Allow, Deny: w.Deny, For: w.For, TimeZone: w.TimeZone}
}

// WindowsOf are those of agent.yaml that bind an environment of an application.
func (a *Agent) WindowsOf(application, environment string) (windows []Window) {
	for _, w := range a.Windows {
		if Match(w.Applications, application) && Match(w.Environments, environment) {
			windows = append(windows, w.window())
		}
	}
	return windows
}

// Times is when the window's expression fires, and in which zone. Of a window that was found valid there is no error.
func (w Window) Times() (cron.Schedule, *time.Location, error) {
	zone, err := timeZone(w.TimeZone)
	if err != nil {
		return nil, nil, err
	}
	times, err := schedule(w.Allow + w.Deny)
	return times, zone, err
}

// maxWindow is as long as a window may be: it is looked for as far back.
const maxWindow = 365 * day

func defaultWindows(windows []Window) {
	for i := range windows {
		setDefault(&windows[i].TimeZone, defaultTimeZone)
	}
}

func checkWindows(d *document, at string, windows []Window) {
	for i, w := range windows {
		checkWindow(d, d.item(at, i), w)
	}
}

func checkBinding(d *document, at string, w BindingWindow) {
	d.globs(at+".applications", w.Applications, 0)
	d.globs(at+".environments", w.Environments, 0)
	checkWindow(d, at, w.window())
}

func checkWindow(d *document, at string, w Window) {
	if (w.Allow == "") == (w.Deny == "") {
		d.reject(at, "must have exactly one of allow and deny")
	}
	for key, expression := range map[string]string{".allow": w.Allow, ".deny": w.Deny} {
		if expression == "" {
			continue
		}
		if _, err := schedule(expression); err != nil {
			d.reject(at+key, "%s %s", err.Error(), got(expression))
		}
	}
	switch length := w.For.Std(); {
	case w.For == 0:
		d.reject(at+".for", "is required")
	case length < time.Minute || length > maxWindow || length%time.Minute != 0:
		d.reject(at+".for", "must be whole minutes, 1m..365d %s", got(w.For.String()))
	}
	if _, err := timeZone(w.TimeZone); err != nil {
		d.reject(at+".timeZone", "%s %s", err.Error(), got(w.TimeZone))
	}
}

func checkOverride(d *document, o *Override) {
	switch {
	case o == nil:
		return
	case o.Reason == "":
		d.reject("override.reason", "is required: it is told with what the override lets begin")
	case len(o.Reason) > maxReason || hasControl(o.Reason):
		d.reject("override.reason", "must be one line of at most %d characters", maxReason)
	}
	if o.Until.Std().IsZero() {
		d.reject("override.until", "is required: an override has an end")
	}
}

// maxReason bounds what is repeated in each line of a note.
const maxReason = 200
