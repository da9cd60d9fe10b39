package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the kernel's unit of CPU time for programs, the same on every Linux.
const tick = 10 * time.Millisecond

// processes is a process group: the agent and its children.
type processes int

// stat is what /proc says of a process after its name, from the third field on.
func stat(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, "stat"))
	if err != nil {
		return nil // it has ended meanwhile
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}

func (p processes) members() []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is well-formed
	var out []string
	for _, dir := range dirs {
		if fields := stat(dir); len(fields) > 14 && fields[2] == strconv.Itoa(int(p)) {
			out = append(out, dir)
		}
	}
	return out
}

// cpu is the time that the group has used so far, ended children included.
func (p processes) cpu() time.Duration {
	var ticks int64
	for _, dir := range p.members() {
		fields := stat(dir)
		for i := 11; i <= 14 && i < len(fields); i++ { // utime, stime, cutime, cstime
			n, _ := strconv.ParseInt(fields[i], 10, 64) // the kernel's own number
			ticks += n
		}
	}
	return time.Duration(ticks) * tick
}

// memory is the sum of the largest resident sizes that the group's processes have had, in MiB.
func (p processes) memory() (float64, error) {
	var kilobytes float64
	for _, dir := range p.members() {
		text, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue // it has ended meanwhile
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				n, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
				if err != nil {
					return 0, fmt.Errorf("read memory of process: %w", err)
				}
				kilobytes += n
			}
		}
	}
	return kilobytes / 1024, nil
}
