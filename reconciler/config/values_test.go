package config_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/sluice-cd/sluice/reconciler/config"
)

func TestDuration(t *testing.T) {
	cases := map[string]struct {
		reason  string
		want    time.Duration
		written string
	}{
		"90s":      {"seconds", 90 * time.Second, "90s"},
		"30m":      {"minutes", 30 * time.Minute, "30m"},
		"12h":      {"hours", 12 * time.Hour, "12h"},
		"7d":       {"days", 7 * 24 * time.Hour, "7d"},
		"1h30m":    {"units from the longest to the shortest", 90 * time.Minute, "90m"},
		"200ms":    {"milliseconds", 200 * time.Millisecond, "200ms"},
		"24h":      {"the longest unit is written", 24 * time.Hour, "1d"},
		"0s":       {"nothing", 0, "0s"},
		"36500d":   {"a hundred years is the most", 36500 * 24 * time.Hour, "36500d"},
		"36501d":   {"more is too much", 0, ""},
		"876001h":  {"in any unit", 0, ""},
		"36500d1s": {"and in their sum", 0, ""},
		"":         {"empty is nothing", 0, ""},
		"30":       {"a unit is needed", 0, ""},
		"-1s":      {"never negative", 0, ""},
		"1.5h":     {"whole numbers only", 0, ""},
		"30m1h":    {"not in any order", 0, ""},
		"1 h":      {"no spaces", 0, ""},
		"1w":       {"no weeks", 0, ""},
		"1us":      {"nothing below a millisecond", 0, ""},
	}
	for text, c := range cases {
		t.Run(text, func(t *testing.T) {
			var d config.Duration
			err := d.UnmarshalText([]byte(text))
			if (err == nil) != (c.written != "") || d.Std() != c.want {
				t.Fatalf("%s: got %v, %v", c.reason, d.Std(), err)
			}
			if err != nil {
				return
			}
			var again config.Duration
			data, err := json.Marshal(d)
			if err != nil || string(data) != `"`+c.written+`"` || json.Unmarshal(data, &again) != nil || again != d {
				t.Errorf("%s: JSON %s, %v, %v", c.reason, data, again, err)
			}
			if data, err = yaml.Marshal(d); err != nil || yaml.Unmarshal(data, &again) != nil || again != d {
				t.Errorf("%s: YAML %s, %v, %v", c.reason, data, again, err)
			}
		})
	}
	if _, err := config.Duration(time.Microsecond).MarshalText(); err == nil {
		t.Error("a microsecond is written")
	}
}

func TestPercent(t *testing.T) {
	for text, want := range map[string]config.Percent{
		"1%": 1, "50%": 50, "100%": 100, "0%": 0, "101%": 0, "50": 0, "-1%": 0, "+1%": 0, "1.5%": 0, "%": 0, "": 0, "50 %": 0,
	} {
		var p config.Percent
		if err := p.UnmarshalText([]byte(text)); p != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v", text, p, err)
		}
	}
	if data, err := json.Marshal(config.Prune{Limit: 25}); err != nil || string(data) != `{"limit":"25%"}` {
		t.Errorf("JSON %s, %v", data, err)
	}
}

func TestFollow(t *testing.T) {
	cases := map[string]struct {
		reason string
		follow config.Follow
		json   string
	}{
		"Tip":    {"the zero value", config.Follow{}, `"tip"`},
		"Pin":    {"a word", config.Follow{Pin: true}, `"pin"`},
		"Branch": {"a mapping", config.Follow{Branch: "next"}, `{"branch":"next"}`},
		"Tag":    {"a mapping", config.Follow{Tag: ">=1.2.0 <2"}, `{"tag":">=1.2.0 <2"}`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(c.follow)
			if err != nil {
				t.Fatal(err)
			}
			// The JSON package writes < as an escape; the text is the same.
			if text := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(data)); text != c.json {
				t.Errorf("%s: JSON %s, want %s", c.reason, text, c.json)
			}
			again := config.Follow{Pin: true, Branch: "x"}
			if err := json.Unmarshal(data, &again); err != nil || again != c.follow {
				t.Errorf("%s: read as %+v, %v", c.reason, again, err)
			}
			if data, err = yaml.Marshal(c.follow); err != nil {
				t.Fatal(err)
			}
			again = config.Follow{Pin: true, Branch: "x"}
			if err := yaml.Unmarshal(data, &again); err != nil || again != c.follow {
				t.Errorf("%s: YAML %s read as %+v, %v", c.reason, data, again, err)
			}
		})
	}
	if _, err := json.Marshal(config.Follow{Pin: true, Branch: "x"}); err == nil {
		t.Error("two at once are written")
	}
	for _, bad := range []string{`"Tip"`, `{}`, `{"branch":"a","tag":"b"}`, `7`, `["tip"]`, `{"branch":7}`} {
		var f config.Follow
		if err := json.Unmarshal([]byte(bad), &f); err == nil {
			t.Errorf("%s is read as %+v", bad, f)
		}
		if err := yaml.Unmarshal([]byte(bad), &f); err == nil && bad != `{"branch":7}` {
			t.Errorf("%s is read as %+v from YAML", bad, f)
		}
	}
}

func TestPollNext(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 3, 6, 21, 59, 30, 0, time.UTC) // a Friday, 22:59:30 in Berlin
	working := config.Poll{Cron: "*/5 6-22 * * 1-5", TimeZone: "Europe/Berlin"}
	cases := map[string]struct {
		reason string
		poll   config.Poll
		chance float64
		want   time.Time
	}{
		"Interval":   {"after the interval", config.Poll{Interval: config.Duration(time.Minute)}, 0, at.Add(time.Minute)},
		"Jitter":     {"up to a tenth longer", config.Poll{Interval: config.Duration(time.Minute)}, 0.5, at.Add(63 * time.Second)},
		"MostJitter": {"chance beyond 1 counts as 1", config.Poll{Interval: config.Duration(time.Minute)}, 7, at.Add(66 * time.Second)},
		"Cron":       {"the next moment in the zone, after a weekend", working, 0.5, time.Date(2026, 3, 9, 6, 0, 0, 0, berlin)},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if next := c.poll.Next(at, c.chance); !next.Equal(c.want) {
				t.Errorf("%s: got %s, want %s", c.reason, next, c.want)
			}
		})
	}
}
