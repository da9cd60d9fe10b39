package policies

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// everyDay fires at an hour of each day.
type everyDay int

func (h everyDay) Next(after time.Time) time.Time {
	at := time.Date(after.Year(), after.Month(), after.Day(), int(h), 0, 0, 0, after.Location())
	if !at.After(after) {
		at = at.AddDate(0, 0, 1)
	}
	return at
}

func TestSpans(t *testing.T) {
	from := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	window := func(deny bool, hour int, length time.Duration) Window {
		return Window{Deny: deny, Cron: fmt.Sprintf("0 %d * * *", hour), Schedule: everyDay(hour), Zone: time.UTC, For: length}
	}
	for name, tc := range map[string]struct {
		reason  string
		windows []Window
		most    int
		want    string
	}{
		"None":    {"there is nothing to tell", nil, 9, ""},
		"Allow":   {"between its times it is closed", []Window{window(false, 9, 8*time.Hour)}, 9, "12-17 open, 17-09 closed, 09-17 open, 17-09 closed, 09-12 open"},
		"Both":    {"what denies goes first, and nothing is told twice", []Window{window(false, 9, 8*time.Hour), window(true, 13, time.Hour)}, 3, "12-13 open, 13-14 closed, 14-17 open"},
		"Touches": {"two windows side by side are one time", []Window{window(false, 9, 8*time.Hour), window(false, 17, 2*time.Hour)}, 2, "12-19 open, 19-09 closed"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range Spans(tc.windows, from, from.Add(48*time.Hour), tc.most) {
				state := "closed"
				if s.Open {
					state = "open"
				} else if s.Reason == "" {
					t.Errorf("%s: there is no reason at %s", tc.reason, s.From)
				}
				got = append(got, s.From.Format("15")+"-"+s.Until.Format("15")+" "+state)
			}
			if text := strings.Join(got, ", "); !strings.HasPrefix(text, tc.want) || tc.most < 9 && text != tc.want || tc.want == "" && text != "" {
				t.Errorf("%s: got %s, want %s", tc.reason, text, tc.want)
			}
		})
	}
}
