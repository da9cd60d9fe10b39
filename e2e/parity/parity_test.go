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
	same, neither := 0, 0
	for i, one := range corpus.Cases() {
		t.Run(string(one.Kind)+"/"+one.String(), func(t *testing.T) {
			differences, refused, err := corpus.Compare(t.Context(), i)
			switch {
			case err != nil:
				t.Error(err)
			case refused:
				neither++
			case len(differences) == 0:
				same++
			}
			for _, difference := range differences {
				t.Error(difference)
			}
		})
	}
	t.Logf("of %d cases %d are the same, and %d neither renders", len(corpus.Cases()), same, neither)
	if from == "testdata" && same != len(corpus.Cases()) {
		t.Error("there is a case that is not compared")
	}
}
