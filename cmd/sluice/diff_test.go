package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sluice-cd/sluice/reconciler"
)

// TestDiffIsColoured: by what a line is about, and values cannot paint by themselves.
func TestDiffIsColoured(t *testing.T) {
	at := reconciler.DiffSide{Environment: "production"}
	made := reconciler.ObjectDiff{
		Application: "shop", From: reconciler.DiffSide{Environment: "production", Live: true}, To: at,
		Created: []reconciler.DiffObject{{Object: "Service/shop/web"}},
		Changed: []reconciler.DiffObject{{Object: "ConfigMap/shop/page", Fields: []reconciler.DiffField{{Path: "data.a", Before: "old", After: "\x1b[31mred"}}}},
		Deleted: []reconciler.DiffObject{{Object: "ConfigMap/shop/old"}},
	}
	head := "shop: production in the cluster → production in the working folder\n\n"
	want := head + "Created: 1\n\x1b[32m+ Service/shop/web\x1b[0m\n\nChanged: 1\n\x1b[33m~ ConfigMap/shop/page\x1b[0m\n" +
		"\x1b[33m    data.a: old → \"\\u001b[31mred\"\x1b[0m\n\nDeleted: 1\n\x1b[31m- ConfigMap/shop/old\x1b[0m\n"
	if diff := cmp.Diff(want, diffText(made, true)); diff != "" {
		t.Errorf("on a terminal: -want +got\n%s", diff)
	}
	want = head + "Created: 1\n+ Service/shop/web\n\nChanged: 1\n~ ConfigMap/shop/page\n    data.a: old → \"\\u001b[31mred\"\n\n" +
		"Deleted: 1\n- ConfigMap/shop/old\n"
	if diff := cmp.Diff(want, diffText(made, false)); diff != "" {
		t.Errorf("elsewhere: -want +got\n%s", diff)
	}
}
