package gitsource_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/gittest"
)

func TestLesson36_SecretsAreNotPrinted(t *testing.T) {
	const value = "hunter2-in-plain-text"
	s := gitsource.NewSecret(value)
	c := gitsource.Credentials{Username: "agent", Password: s, Token: s, SSHKey: s, SSHKeyPassphrase: s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%30s"} {
		for _, x := range []any{s, &s, c, &c, []gitsource.Secret{s}, map[string]gitsource.Secret{"k": s}} {
			fmt.Fprintf(&out, verb+"\n", x)
		}
	}
	b, err := json.Marshal(map[string]any{"credentials": c, "secret": s})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "secret", s, "credentials", c)
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "secret", s, "credentials", c)
	for _, form := range []string{value, fmt.Sprintf("%x", value), "hunter2"} {
		if strings.Contains(strings.ToLower(out.String()), form) {
			t.Errorf("%q was printed in\n%s", form, out.String())
		}
	}
	if s.Reveal() != value || s.Empty() || !gitsource.NewSecret("").Empty() {
		t.Error("the value is not kept")
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, cfg := range map[string]gitsource.Config{
		"password in the URL": {URL: "https://a:hunter2@git.example.org/x.git", Dir: t.TempDir()},
		"local folder":        {URL: "/srv/x.git", Dir: t.TempDir()},
		"no folder":           {URL: "https://git.example.org/x.git"},
		"author":              {URL: "https://git.example.org/x.git", Dir: t.TempDir(), Author: "nobody"},
	} {
		_, err := gitsource.Open(cfg)
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestLesson12_HostsAreBounded(t *testing.T) {
	srv := gittest.New(t)
	srv.Commit(t, "shop", gittest.Change{Files: files(manyFiles, "text")})
	base, stalled := stalling(t, srv)
	hosts := gitsource.NewHosts(1)
	limited := func(c *gitsource.Config) { c.URL, c.Hosts = base+"/shop.git", hosts }
	slow, next := open(t, srv, "shop", limited), open(t, srv, "shop", limited)
	other := open(t, srv, "shop", func(c *gitsource.Config) { c.Hosts = hosts })

	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := slow.Fetch(ctx, main); ended <- err }()
	<-stalled // one conversation hangs
	expired, stop := context.WithCancel(t.Context())
	stop()
	if _, err := next.Refs(expired, main); !errors.Is(err, context.Canceled) {
		t.Errorf("a second conversation with the same host: %v", err)
	}
	fetch(t, other, main) // another host is not held up
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the first ended with %v", err)
	}
	if _, err := next.Refs(t.Context(), main); err != nil {
		t.Errorf("after the first ended: %v", err)
	}
}
