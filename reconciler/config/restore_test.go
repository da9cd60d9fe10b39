package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	restoreHead = "apiVersion: sluice.dev/v1alpha1\nkind: Application\nmetadata: {name: shop}\nenvironments:\n"
	restoreTest = "  # who tests\n  - name: test\n    namespace: test # theirs\n    source: {directory: {path: test}}\n"
)

func TestRestore(t *testing.T) {
	const block = "  - name: staging\n    namespace: staging\n\n    # the chart\n    source:\n      helm:\n        chart: chart # ours\n        values:\n        - a.yaml\n    # how it goes\n    state: paused\n"
	for name, c := range map[string]struct{ reason, now, then, want string }{
		"Nothing": {
			"what shapes objects is the same, and other keys are as they are now",
			restoreTest + strings.Replace(block, "paused", "present", 1), block + restoreTest, restoreTest + strings.Replace(block, "paused", "present", 1),
		},
		"Source": {
			"only the source is what it was, with its comments, and not that of others",
			strings.Replace(restoreTest, "path: test", "path: new", 1) + strings.Replace(block, "      helm:\n        chart: chart # ours\n        values:\n        - a.yaml\n", "      kustomize: {path: overlay}\n      # more\n", 1),
			block + restoreTest,
			strings.Replace(restoreTest, "path: test", "path: new", 1) + block[:strings.Index(block, "    # how")] + "      # more\n" + block[strings.Index(block, "    # how"):],
		},
		"AnotherIndentation": {
			"what was written deeper is moved to where it is now",
			strings.ReplaceAll(strings.ReplaceAll(block, "\n  ", "\n"), "  - name", "- name") + "  labels: {a: b}\n",
			strings.Replace(block, "a.yaml", "b.yaml", 1) + "    labels: {a: c}\n",
			strings.Replace(strings.ReplaceAll(strings.ReplaceAll(block, "\n  ", "\n"), "  - name", "- name"), "a.yaml", "b.yaml", 1) + "  labels: {a: c}\n",
		},
		"Labels": {
			"what shapes objects beside the source comes and goes too",
			"  - name: staging\n    namespace: elsewhere\n    annotations:\n      a: b\n    source: {directory: {path: x}}\n",
			"  - name: staging\n    labels:\n      a: b\n    namespace: staging\n    source: {directory: {path: x}}\n",
			"  - name: staging\n    labels:\n      a: b\n    namespace: staging\n    source: {directory: {path: x}}\n",
		},
		"InBraces": {
			"a block in braces keeps them",
			"  - {name: staging, namespace: staging, source: {directory: {path: \"new}\"}}, state: paused} # now\n",
			"  - name: staging\n    namespace: staging\n    source:\n      helm: # a chart\n        chart: chart\n        values: [a.yaml]\n",
			"  - {name: staging, namespace: staging, source: {helm: {chart: chart, values: [a.yaml]}}, state: paused} # now\n",
		},
		"WasInBraces": {
			"a block that was in braces is written as blocks are",
			"  - name: staging\n    namespace: staging\n    source:\n      directory:\n        path: new\n",
			"  - {name: staging, namespace: staging, source: {directory: {path: old}}}\n",
			"  - name: staging\n    namespace: staging\n    source: {directory: {path: old}}\n",
		},
		"First": {
			"the key after the dash is written there",
			"  - source: {directory: {path: new}}\n    name: staging\n    namespace: staging\n",
			"  - source:\n      directory: {path: old}\n    name: staging\n    namespace: staging\n",
			"  - source:\n      directory: {path: old}\n    name: staging\n    namespace: staging\n",
		},
		"EarlierName": {
			"the environment had another name",
			"  - name: staging\n    was: [qa]\n    namespace: staging\n    source: {directory: {path: new}}\n",
			"  - name: qa\n    namespace: staging\n    source: {directory: {path: old}}\n",
			"  - name: staging\n    was: [qa]\n    namespace: staging\n    source: {directory: {path: old}}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Restore("sluice.yaml", []byte(restoreHead+c.now), []byte(restoreHead+c.then), "staging", "qa")
			if diff := cmp.Diff(restoreHead+c.want, string(got)); err != nil || diff != "" {
				t.Errorf("%s: %v (-want +got):\n%s", c.reason, err, diff)
			}
		})
	}
	for name, c := range map[string]struct{ now, then, says string }{
		"Anchor":   {"  - &base\n    name: staging\n    namespace: staging\n    source: &source {directory: {path: new}}\n  - {name: test, namespace: test, source: *source}\n", "  - {name: staging, namespace: staging, source: {directory: {path: old}}}\n", "by hand"},
		"NotThere": {"  - {name: staging, namespace: staging, source: {directory: {path: new}}}\n", "  - {name: test, namespace: staging, source: {directory: {path: old}}}\n", "there is no environment"},
		"Faulty":   {"  - {name: staging, namespace: staging, source: {directory: {path: new}}, moon: full}\n", "  - {name: staging, namespace: staging, source: {directory: {path: old}}}\n", "moon"},
	} {
		if got, err := Restore("sluice.yaml", []byte(restoreHead+c.now), []byte(restoreHead+c.then), "staging"); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}
