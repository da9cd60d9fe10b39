package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rendering is what the renders of applications may use. They run in processes of their own, without files and network.
type Rendering struct {
	// Processes is how many renders run at once, 1..64; without it one for each processor.
	Processes int `json:"processes,omitempty"`
	// Memory is what one process may have, 128Mi..64Gi. A render that takes more is refused.
	Memory Size `json:"memory,omitempty"`
	// Time is what one render may take, 1s..1h. One that takes longer is refused.
	Time Duration `json:"time,omitzero"`
	// AllowNetwork lets the agent start where nothing keeps templates from the network: no seccomp and no namespaces, as
	// outside of Linux.
	AllowNetwork bool `json:"allowNetwork,omitempty"`
}

// Size is a number of bytes, written as 512Mi or 2Gi.
type Size int64

// UnmarshalText reads 512Mi or 2Gi.
func (s *Size) UnmarshalText(text []byte) error {
	fault := fmt.Errorf("must be a size such as 512Mi or 2Gi")
	unit := 20
	digits, found := strings.CutSuffix(string(text), "Mi")
	if !found {
		digits, found = strings.CutSuffix(string(text), "Gi")
		unit = 30
	}
	n, err := strconv.ParseUint(digits, 10, 62)
	if !found || err != nil || n > math.MaxInt64>>unit {
		return fault
	}
	*s = Size(n << unit) //nolint:gosec // it was just compared
	return nil
}

// MarshalText writes 512Mi or 2Gi.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String is 512Mi or 2Gi.
func (s Size) String() string {
	if s > 0 && s%(1<<30) == 0 {
		return strconv.FormatInt(int64(s>>30), 10) + "Gi"
	}
	return strconv.FormatInt(int64(s>>20), 10) + "Mi"
}

func checkRendering(d *document, at string, r Rendering) {
	if r.Processes < 0 || r.Processes > 64 {
		d.reject(at+".processes", "must be 1..64 (got %d)", r.Processes)
	}
	if r.Memory < 128<<20 || r.Memory > 64<<30 {
		d.reject(at+".memory", "must be 128Mi..64Gi %s", got(r.Memory.String()))
	}
	if r.Time.Std() < time.Second || r.Time.Std() > time.Hour {
		d.reject(at+".time", "must be 1s..1h %s", got(r.Time.String()))
	}
}
