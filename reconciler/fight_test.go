package reconciler

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/apply"
)

func TestFight(t *testing.T) {
	start := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	fought := func(times int, every time.Duration) (f fight, now time.Time) {
		for now = start; times > 0; times-- {
			now = now.Add(every)
			f = f.again(now)
		}
		return f, now
	}
	cases := map[string]struct {
		reason string
		times  int
		every  time.Duration
		want   time.Duration // until the next repair
	}{
		"AFew":        {"somebody edits by hand: always at once", freeRepairs, time.Second, 0},
		"OneMore":     {"a controller that wants it otherwise", freeRepairs + 1, time.Second, time.Second},
		"Doubles":     {"ever more seldom", freeRepairs + 4, time.Second, 8 * time.Second},
		"AtMost":      {"the longest wait", freeRepairs + 40, time.Second, peace},
		"AfterAWhile": {"whoever left it alone for long gets free repairs again", freeRepairs + 5, peace + time.Second, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f, now := fought(tc.times, tc.every)
			if got := f.next.Sub(now); got != tc.want {
				t.Errorf("%s: the next repair is %v later, want %v", tc.reason, got, tc.want)
			}
		})
	}
	t.Run("WhatHasPeaceIsForgotten", func(t *testing.T) {
		target := &target{}
		a, b := apply.ID{Kind: "ConfigMap", Name: "a"}, apply.ID{Kind: "ConfigMap", Name: "b"}
		target.fought(drifted{a: "changed"}, start)
		target.fought(drifted{b: "changed"}, start.Add(peace+time.Second))
		if _, ok := target.drifting.fights[a]; ok || len(target.drifting.fights) != 1 {
			t.Errorf("remembered: %v", target.drifting.fights)
		}
	})
}

func TestSooner(t *testing.T) {
	cases := map[string]struct {
		reason     string
		a, b, want time.Duration
	}{
		"Shorter":    {"the shorter of two", time.Minute, time.Second, time.Second},
		"FirstNever": {"zero is for ever", 0, time.Second, time.Second},
		"LastNever":  {"on either side", time.Second, 0, time.Second},
		"Never":      {"twice for ever is for ever", 0, 0, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := sooner(tc.a, tc.b); got != tc.want {
				t.Errorf("%s: got %v, want %v", tc.reason, got, tc.want)
			}
		})
	}
}

func TestClip(t *testing.T) {
	cases := map[string]struct {
		reason, text string
		most         int
		want         string
	}{
		"Short":  {"it fits", "short", 5, "short"},
		"Long":   {"the end is cut", "much too long", 8, "much ..."},
		"Within": {"never in the middle of a character", "äöüäöüäöü", 8, "äö..."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := clip(tc.text, tc.most); got != tc.want {
				t.Errorf("%s: got %q, want %q", tc.reason, got, tc.want)
			}
		})
	}
}
