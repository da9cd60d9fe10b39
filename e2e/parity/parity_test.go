package parity

import (
	"os"
	"path/filepath"
	"testing"
)

// TestParity: what sluice renders is what the programs give. SLUICE_CORPUS names another corpus.
func TestParity(t *testing.T) {
	from := os.Getenv("SLUICE_CORPUS")
	if from == "" {
		from = "testdata"
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	corpus, err := Open(t.Context(), from, t.TempDir(), Programs{
		Sluice: filepath.Join(root, "bin/sluice"), Helm: filepath.Join(root, "e2e/bin/helm"), Kustomize: filepath.Join(root, "e2e/bin/kustomize"),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := map[Outcome]int{}
	for i, one := range corpus.Cases() {
		t.Run(string(one.Kind)+"/"+one.String(), func(t *testing.T) {
			outcome, details, err := corpus.Compare(t.Context(), i)
			if err != nil {
				t.Fatal(err)
			}
			ended[outcome]++
			for _, detail := range details {
				if outcome == Differs {
					t.Error(detail)
				} else {
					t.Logf("%s: %s", outcome, detail)
				}
			}
		})
	}
	t.Logf("of %d cases %d are the same; neither renders %d; %d are no objects that Kubernetes takes", len(corpus.Cases()), ended[Same], ended[Neither], ended[Unfit])
	if from == "testdata" && ended[Same] != len(corpus.Cases()) {
		t.Error("there is a case that is not compared")
	}
}
