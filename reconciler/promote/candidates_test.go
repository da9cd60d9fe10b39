package promote

import (
	"testing"
	"time"
)

// TestBrokenCommitsArePassedOver: a commit that does not render is no candidate, and no reason to end.
func TestBrokenCommitsArePassedOver(t *testing.T) {
	b := newBench(t)
	first := b.commit(map[string]string{"production/a.yaml": manifest("2")})
	b.commit(map[string]string{"production/a.yaml": "{apiVersion: v1, kind: ", "staging/a.yaml": "{"})
	if out := b.look(b.subject(b.healthy(first, time.Hour))); out.Candidate != first || !out.Due {
		t.Errorf("it asks for %q, due %v, want %s: %s", out.Candidate, out.Due, first, out.Reason)
	}
}
