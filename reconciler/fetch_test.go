package reconciler

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/sluice-cd/sluice/gitsource/charts"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/elsewhere"
	"github.com/sluice-cd/sluice/render"
)

// objects is a tree whose objects nobody asks for.
type objects struct{ fstest.MapFS }

func (objects) Object(string) (string, error) { return "", errors.New("not asked for") }

// TestLesson32_WhatIsKeptOfAServerIsItsUsers: a lock is written by an application, so neither the digest of a chart that somebody
// else has, nor another address for it, nor a render of before gets it.
func TestLesson32_WhatIsKeptOfAServerIsItsUsers(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	b.agent.config.DataDir = t.TempDir()
	b.agent.config.Charts = []config.ChartServer{
		{URL: "https://private.example.com", Applications: []string{"owner"}}, {URL: "https://public.example.com", Applications: []string{"*"}},
	}
	var err error
	if b.agent.charts, err = b.agent.newFetcher(); err != nil {
		t.Fatal(err)
	}
	data := []byte("a private chart")
	kept := filepath.Join(b.agent.config.DataDir, "charts", fmt.Sprintf("%x", sha256.Sum256([]byte("https://private.example.com"))))
	if _, err := charts.NewStore(kept, charts.DefaultLimit).Put(data); err != nil {
		t.Fatal(err)
	}
	lock := func(server string) config.Locked {
		return config.Locked{
			Repository: "https://private.example.com", Chart: "web", Version: "^1.2", Resolved: "1.2.0", URL: server + "/web-1.2.0.tgz",
			Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(data)),
		}
	}
	for _, tc := range []struct {
		application, server string
		given, forbidden    bool
	}{
		{"owner", "https://private.example.com", true, false},
		{"owner", "https://public.example.com", false, false},
		{"thief", "https://private.example.com", false, true},
		{"thief", "https://public.example.com", false, false},
		{"thief", "https://elsewhere.example.com", false, true},
	} {
		l := lock(tc.server)
		got, err := b.agent.chartsOf(tc.application)(l)
		if given := string(got) == string(data); given != tc.given || (err == nil) != tc.given || errors.Is(err, elsewhere.ErrForbidden) != tc.forbidden {
			t.Errorf("%s from %s: got %q, %v", tc.application, tc.server, got, err)
		}
		text, err := config.Lock{Charts: []config.Locked{l}}.Text()
		if err != nil {
			t.Fatal(err)
		}
		over := elsewhere.Over(objects{fstest.MapFS{render.LockFile: {Data: text}}}, nil)
		over.May = b.agent.mayHave(tc.application)
		if _, err := over.Object(render.Fetched(".") + "/" + l.Asks().File()); errors.Is(err, elsewhere.ErrForbidden) != tc.forbidden {
			t.Errorf("%s asks for the object of %s: %v", tc.application, tc.server, err)
		}
	}
}
