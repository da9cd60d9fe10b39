package config_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// TestPromotionTimes: the schedule fires by the wall clock of its zone, and there is none where none is asked for.
func TestPromotionTimes(t *testing.T) {
	times, zone, err := config.PromotionWhen{Schedule: "0 9 * * 1-5", TimeZone: "Europe/Berlin"}.Times()
	if err != nil {
		t.Fatal(err)
	}
	friday := time.Date(2026, 11, 20, 9, 0, 0, 0, zone)
	if next := times.Next(friday); !next.Equal(time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)) {
		t.Errorf("after %s comes %s", friday, next)
	}
	if times, _, err = (config.PromotionWhen{}).Times(); times != nil || err != nil {
		t.Errorf("no schedule: %v, %v", times, err)
	}
}

// TestCirclesAreFound: whatever comes from what, there are faults of circles if and only if something comes from itself by way
// of others, and what they name is one.
func TestCirclesAreFound(t *testing.T) {
	with := 0
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 11))
		from := make([][]int, 2+r.IntN(14))
		var file strings.Builder
		file.WriteString(head + "environments:\n")
		for i := range from {
			var names []string
			for n := range from {
				if n != i && r.IntN(len(from)) == 0 {
					from[i], names = append(from[i], n), append(names, fmt.Sprint("e", n))
				}
			}
			promotion := ""
			if len(names) > 0 {
				promotion = ", follow: pin, promotion: {from: [" + strings.Join(names, ", ") + "]}"
			}
			file.WriteString(block(fmt.Sprint("e", i), promotion))
		}
		_, faults := config.ParseApplication("sluice.yaml", []byte(file.String()))
		if circular(from) != (len(faults) > 0) {
			t.Fatalf("seed %d: circular %v, faults %v\n%s", seed, circular(from), faults, file.String())
		}
		for _, f := range faults {
			with++
			checkCircle(t, f, from)
		}
	}
	if with < 100 {
		t.Errorf("only %d circles were tried", with)
	}
}

// circular takes away what comes from nothing that is left, until nothing changes.
func circular(from [][]int) bool {
	gone := make([]bool, len(from))
	for range from {
		for i := range from {
			gone[i] = gone[i] || !slices.ContainsFunc(from[i], func(n int) bool { return !gone[n] })
		}
	}
	return slices.Contains(gone, false)
}

// checkCircle holds that a fault leads, step by step, from an environment back to it.
func checkCircle(t *testing.T, f config.Fault, from [][]int) {
	t.Helper()
	_, text, _ := strings.Cut(f.Message, ": ")
	way := strings.Split(text, " from ")
	number := func(name string) (n int) {
		_, _ = fmt.Sscanf(name, "e%d", &n)
		return n
	}
	for i := 1; i < len(way); i++ {
		if way[i] != "..." && way[i-1] != "..." && !slices.Contains(from[number(way[i-1])], number(way[i])) {
			t.Errorf("%s: %s does not come from %s", f, way[i-1], way[i])
		}
	}
	if len(way) < 3 || way[0] != way[len(way)-1] || !strings.Contains(f.Path, "["+way[0]+"].promotion.from") {
		t.Errorf("%s: does not lead back to where it began", f)
	}
}

// TestPostsStatuses: where there is a forge, unless somebody says no.
func TestPostsStatuses(t *testing.T) {
	agent, err := config.ParseAgent("agent.yaml", readFile(t, "testdata/agent/good/forge.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"shop": false, "web": true, "mono": true, "old": true}
	for _, r := range agent.Repositories {
		if r.PostsStatuses() != want[r.Name] {
			t.Errorf("%s: posts statuses %v", r.Name, r.PostsStatuses())
		}
	}
	if (config.Repository{}).PostsStatuses() {
		t.Error("statuses are posted without a forge")
	}
}
