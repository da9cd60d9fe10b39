package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

func renderFigures() []string {
	return names("render500", "cold", "bare", "cold-ratio", "cold-cpu-ratio", "one-renders", "one-decision-cpu", "refused-memory", "kept-memory")
}

// measureRenders runs the command's own benchmarks of a monorepo of 500 applications, half of them charts and half overlays:
// rendering all of it from nothing, beside the bare libraries in one process that do the same, in time and in CPU; the CPU of deciding that a
// commit concerns one application alone; and the most that the process that has the workers grows by while one makes 100 MB,
// which is refused, and 50 MB, which is kept.
func measureRenders(b *bed, r *report) {
	b.Logf("Renders of 500 applications")
	cmd := exec.CommandContext(b.ctx, "go", "test", "-vet=off", "-run", "^$", "-bench", "^BenchmarkRender", "-benchtime", "1x", "./cmd/sluice")
	cmd.Dir = ".."
	if _, err := os.Stat(filepath.Join(cmd.Dir, "cmd")); err != nil {
		b.must(err, "find cmd beside e2e")
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		b.Fatal(fmt.Errorf("run benchmarks of rendering: %w\n%s", err, out))
	}
	for _, f := range []struct{ unit, name, told, to string }{
		{"bare-s", "bare", "s", ""}, {"cold-s", "cold", "s", "render500-bare"}, {"ratio", "cold-ratio", "", ""},
		{"cpu-ratio", "cold-cpu-ratio", "", ""},
		{"renders", "one-renders", "renders", ""}, {"decision-s", "one-decision-cpu", "s", ""},
		{"refused-MiB", "refused-memory", "MiB", ""}, {"kept-MiB", "kept-memory", "MiB", ""},
	} {
		found := regexp.MustCompile(`\s([0-9.e+-]+) ` + f.unit + `\b`).FindSubmatch(out)
		if found == nil {
			b.Fatalf("the benchmarks of rendering do not tell %s:\n%s", f.unit, out)
		}
		value, err := strconv.ParseFloat(string(found[1]), 64)
		b.must(err, "read "+f.unit)
		r.add("render500-"+f.name, value, f.told, f.to)
	}
}
