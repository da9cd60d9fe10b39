package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// figure is a line of the report.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	// Ratio is Value by the figure that To names.
	Ratio float64 `json:"ratio,omitempty"`
	To    string  `json:"to,omitempty"`
}

func (f figure) String() string {
	line := "bench/" + f.Name + " " + number(f.Value) + " " + f.Unit
	if f.To != "" {
		line += " ratio " + number(f.Ratio) + " to " + f.To
	}
	return line
}

// number has three digits that count, and no exponent.
func number(v float64) string {
	digits := 3
	for a := max(v, -v); a >= 1 && digits > 0; a /= 10 {
		digits--
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// machine is what figures depend on.
type machine struct {
	CPUs         int       `json:"cpus"`
	Load         string    `json:"load"`
	At           time.Time `json:"at"`
	Applications int       `json:"applications"`
}

func thisMachine(applications int) machine {
	load, _ := os.ReadFile("/proc/loadavg") // empty where there is none
	return machine{CPUs: runtime.NumCPU(), Load: strings.TrimSpace(string(load)), At: time.Now().UTC(), Applications: applications}
}

// report is bench.json. Figures that are not wanted are kept for ratios and neither printed nor written.
type report struct {
	Machine machine  `json:"machine"`
	Figures []figure `json:"figures"`
	// Requests are those behind a figure, by verb and resource.
	Requests map[string]map[string]int `json:"requests"`

	wanted *regexp.Regexp
	out    io.Writer
	all    []figure
}

func (r *report) wants(names ...string) bool { return slices.ContainsFunc(names, r.wanted.MatchString) }

// add tells a figure at once. to names the one that it is compared with; empty or unknown is none.
func (r *report) add(name string, value float64, unit, to string) {
	f := figure{Name: name, Value: value, Unit: unit}
	if base, ok := r.value(to); ok && base > 0 {
		f.Ratio, f.To = value/base, to
	}
	r.all = append(r.all, f)
	if r.wants(name) {
		r.Figures = append(r.Figures, f)
		_, _ = fmt.Fprintln(r.out, f)
	}
}

func (r *report) value(name string) (float64, bool) {
	i := slices.IndexFunc(r.all, func(f figure) bool { return f.Name == name })
	if i < 0 {
		return 0, false
	}
	return r.all[i].Value, true
}

// growth compares how the agent's figures grow with the monorepo with how the floor's do.
func (r *report) growth() {
	for _, of := range []string{"applied", "available", "cpu"} {
		agent, ok := r.quotient("agent"+largeName+"-cold-"+of, "agent-cold-"+of)
		floor, known := r.quotient("floor"+largeName+"-dryrun-"+of, "floor-dryrun-"+of)
		if !ok || !known {
			continue // the small ones were not measured
		}
		to := "floor" + largeName + "-dryrun-" + of + "-growth"
		r.all = append(r.all, figure{Name: to, Value: floor})
		r.add("agent"+largeName+"-cold-"+of+"-growth", agent, "times", to)
	}
}

func (r *report) quotient(of, by string) (float64, bool) {
	a, ok := r.value(of)
	b, known := r.value(by)
	if !ok || !known || b == 0 {
		return 0, false
	}
	return a / b, true
}

func (r *report) write(file string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
