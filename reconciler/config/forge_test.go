package config_test

import (
	"testing"
	"time"

	"github.com/sluice-cd/sluice/reconciler/config"
)

// TestCountsPushes: at GitHub, however it is named, no interval is set, so that the agent goes by how many may push.
func TestCountsPushes(t *testing.T) {
	cases := map[string]struct {
		repository string
		counts     bool
		interval   time.Duration
	}{
		"OverHTTPS":   {"url: https://github.com/acme/shop.git", true, 0},
		"OverSSH":     {"url: 'git@github.com:acme/shop.git', credentials: {secret: s}", true, 0},
		"OverAPort":   {"url: 'ssh://git@ssh.github.com:443/acme/shop.git', credentials: {secret: s}", true, 0},
		"AsItsForge":  {"url: https://git.example.com/acme/shop.git, forge: {kind: github, token: {secret: s}}", true, 0},
		"AsIsSaid":    {"url: https://github.com/acme/shop.git, writeBack: {interval: 5s}", true, 5 * time.Second},
		"AnotherOne":  {"url: https://git.example.com/acme/github.com.git", false, time.Second},
		"ItsLedger":   {"url: https://git.example.com/acme/shop.git, writeBack: {ledger: {url: https://github.com/acme/ledger.git}}", true, 0},
		"ItsCode":     {"url: https://github.com/acme/shop.git, writeBack: {ledger: {url: https://git.example.com/acme/ledger.git}}", false, time.Second},
		"OtherForge":  {"url: https://git.example.com/acme/shop.git, forge: {kind: gitea, token: {secret: s}}", false, time.Second},
		"AnotherHost": {"url: 'git@github.com.example.com:acme/shop.git', credentials: {secret: s}", false, time.Second},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			agent, err := config.ParseAgent("agent.yaml", []byte("apiVersion: sluice.dev/v1alpha1\nkind: Agent\nmetadata: {name: a}\n"+
				"environments: [{name: e}]\npermissions: [{applications: ['*'], serviceAccount: a/b, namespaces: ['*']}]\n"+
				"repositories: [{name: shop, "+tc.repository+"}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			r := agent.Repositories[0]
			if r.Ledger().CountsPushes() != tc.counts || r.WriteBack.Interval.Std() != tc.interval {
				t.Errorf("counts %v, interval %s", r.Ledger().CountsPushes(), r.WriteBack.Interval)
			}
		})
	}
}
