package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

func noteFigures() []string { return names("agent-note", "time", "memory") }

// measureNotes runs gitsource's own benchmark of appending a line to a note in a repository of 20,000 commits. Memory
// is what one append allocates in all, the server in the same process included: the most that it can add.
func measureNotes(b *bed, r *report) {
	b.Logf("Notes in a repository of 20,000 commits")
	cmd := exec.CommandContext(b.ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkAppendNotes$", "-benchtime", "20x", ".")
	cmd.Dir = filepath.Join("..", "gitsource")
	if _, err := os.Stat(cmd.Dir); err != nil {
		b.must(err, "find gitsource beside e2e")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatal(fmt.Errorf("run benchmark of gitsource: %w\n%s", err, out))
	}
	line := regexp.MustCompile(`BenchmarkAppendNotes/\S+\s+\d+\s+(\d+) ns/op\s+(\d+) B/op`)
	var took, memory float64
	for _, m := range line.FindAllStringSubmatch(string(out), -1) {
		ns, _ := strconv.ParseFloat(m[1], 64) // digits
		bytes, _ := strconv.ParseFloat(m[2], 64)
		took, memory = max(took, ns), max(memory, bytes)
	}
	if took == 0 {
		b.Fatalf("the benchmark of gitsource has no line for notes:\n%s", out)
	}
	r.add("agent-note-time", 1000*took/float64(time.Second), "ms", "")
	r.add("agent-note-memory", memory/(1<<20), "MiB", "")
}
