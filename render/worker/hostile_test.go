package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-cd/sluice/render"
)

// A worker that was taken over asks for whatever it likes: it gets nothing that is not of the tree.
func TestLesson31_QuestionsThatLeaveTheTree(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.yaml")
	if err := os.WriteFile(outside, []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".git", "config"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("a: b"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"link": outside, "up": "../..", "folder": filepath.Dir(outside)} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{
		outside, "../secret.yaml", "link", "up/secret.yaml", "folder/secret.yaml", "folder", "./link", "a/../link", "/etc/passwd",
		".git/config", "", ".", "a.yaml/..", "a\x00b", strings.Repeat("x/", 2000),
	} {
		for _, o := range []op{opLook, opList, opRead, opObject} {
			a := newAnswerer(render.NewWitness(t.Context(), open(t, dir), plain))
			parts, err := a.answer(append([]byte{byte(o)}, name...))
			if text := bytes.Join(parts, nil); bytes.Contains(text, []byte("hunter2")) || bytes.Contains(text, []byte("root:")) {
				t.Errorf("%c %q is answered with %q, %v", o, name, text, err)
			}
		}
	}
	a := newAnswerer(render.NewWitness(t.Context(), open(t, dir), plain))
	if parts, err := a.answer([]byte("la.yaml")); err != nil || !bytes.Contains(bytes.Join(parts, nil), []byte("a: b")) {
		t.Errorf("and what is of the tree with %q, %v", parts, err)
	}
}

// It cannot ask for ever either.
func TestQuestionsHaveAnEnd(t *testing.T) {
	a := newAnswerer(render.NewWitness(t.Context(), treeOf(t, map[string]string{"a": "b"}), plain))
	a.asked = maxQuestions
	if _, err := a.answer([]byte("la")); !errors.Is(err, errAskedTooMuch) {
		t.Errorf("error %v", err)
	}
	a.asked, a.served = 0, maxServed+1
	if _, err := a.answer([]byte("la")); !errors.Is(err, errAskedTooMuch) {
		t.Errorf("error %v", err)
	}
}

// What makes no sense is an error of the one render, and never a result.
func TestNonsenseIsRefused(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000)
	hash := strings.Repeat("a", 64)
	for name, text := range map[string]string{
		"Nothing":        "",
		"NoJSON":         "{",
		"NoResult":       "{}",
		"Both":           `{"fault": {"text": "x"}, "result": {"Digest": "` + hash + `", "Inputs": "` + hash + `"}}`,
		"NoDigest":       `{"result": {"Digest": "", "Inputs": "` + hash + `"}}`,
		"NoObjects":      `{"result": {"Digest": "` + hash + `", "Inputs": "` + hash + `"}}`,
		"ObjectsInIt":    `{"result": {"Digest": "` + hash + `", "Inputs": "` + hash + `", "Objects": [{"kind": "A"}]}}`,
		"Deep":           deep,
		"DeepInAFault":   `{"fault": {"text": ` + deep,
		"KeysThatArent":  `{"result": {"Digest": "` + hash + `", "Inputs": "` + hash + `", "Sources": {"a": "b"}}}`,
		"ObjectOfNoKind": `{"result": {"Hooks": [{"Object": {}}]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if result, err := finish([]byte(text), nil, nil); result != nil || !isNonsense(err) {
				t.Errorf("result %v, error %v", result, err)
			}
		})
	}
	for name, text := range map[string]string{"NoJSON": "{", "NoKind": "{}", "Text": `"a"`, "Deep": deep, "Null": "null"} {
		if o, err := object([]byte(text)); err == nil {
			t.Errorf("%s is the object %v", name, o)
		}
	}
	f := fault{Text: "x", Tree: 99}
	if err := f.err([]error{io.EOF}); errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

// Frames that are too large, or that nobody waits for, end the worker before anything of them is read.
func TestFramesAreBounded(t *testing.T) {
	for name, head := range map[string][]byte{
		"Huge": {byte(isDone), 0xff, 0xff, 0xff, 0xff}, "NotNow": {byte(isHello), 0, 0, 0, 1}, "Unknown": {'?', 0, 0, 0, 0},
		"LongQuestion": {byte(isQuestion), 0, 1, 0, 0},
	} {
		w := newWire(io.MultiReader(bytes.NewReader(head), zeros{}), io.Discard)
		if _, _, err := w.read(fromWorker); err == nil {
			t.Errorf("%s was read", name)
		}
		if cap(w.buf) > 0 {
			t.Errorf("%s has its memory", name)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// FuzzWorkerTalk: whatever a worker says, the parent has an error or a whole result, and does not fall over.
func FuzzWorkerTalk(f *testing.F) {
	f.Add([]byte("q\x00\x00\x00\x02la"))
	f.Add([]byte("o\x00\x00\x00\x0c{\"kind\":\"A\"}"))
	f.Add(fmt.Appendf(nil, "d\x00\x00\x00\x16%s", `{"fault":{"text":"x"}}`))
	f.Fuzz(func(t *testing.T, talk []byte) {
		p := &process{wire: newWire(bytes.NewReader(talk), io.Discard), talk: &tail{}}
		p.verdict.Store(&LostError{"it was played"})
		a := newAnswerer(render.NewWitness(t.Context(), treeOf(t, map[string]string{"a": "b"}), plain))
		result, err := p.renderBy(a, plain)
		if (result == nil) == (err == nil) {
			t.Fatalf("result %v, error %v", result, err)
		}
		if result != nil && (len(result.Objects) == 0 || len(result.Digest) != 64) {
			t.Fatalf("half a result: %+v", result)
		}
	})
}
