package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration written as 90s, 30m, 12h or 7d, or several of those from the longest unit to
// the shortest, as in 1h30m; ms is the shortest unit. Whole numbers only, never negative.
type Duration time.Duration

// Std is the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

const day = 24 * time.Hour

// units of a duration, from the longest to the shortest, as they must follow each other.
func units() []struct {
	name string
	size time.Duration
} {
	return []struct {
		name string
		size time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}
}

var durationForm = regexp.MustCompile(`^(?:(\d{1,5})d)?(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,9})s)?(?:(\d{1,12})ms)?$`)

// maxDuration is a hundred years: longer than any wait that is meant, and far from overflow.
const maxDuration = 36500 * day

// UnmarshalText reads 90s, 30m, 12h, 7d, 1h30m or 200ms.
func (d *Duration) UnmarshalText(text []byte) error {
	parts := durationForm.FindSubmatch(text)
	if parts == nil || len(text) == 0 {
		return fmt.Errorf("must be a duration such as 90s, 30m, 12h or 7d")
	}
	var sum time.Duration
	for i, unit := range units() {
		if len(parts[i+1]) == 0 {
			continue
		}
		n, err := strconv.ParseInt(string(parts[i+1]), 10, 64)
		if err != nil || time.Duration(n) > maxDuration/unit.size {
			return fmt.Errorf("must be a duration of at most 36500d")
		}
		sum += time.Duration(n) * unit.size
	}
	if sum > maxDuration {
		return fmt.Errorf("must be a duration of at most 36500d")
	}
	*d = Duration(sum)
	return nil
}

// MarshalText writes the duration in the longest unit that leaves no remainder: 90s, 12h, 7d.
func (d Duration) MarshalText() ([]byte, error) {
	std := time.Duration(d)
	if std < 0 || std > maxDuration || std%time.Millisecond != 0 {
		return nil, fmt.Errorf("write duration %s: must be whole milliseconds between 0 and 36500d", std)
	}
	return []byte(d.String()), nil
}

// String is what MarshalText writes; a value that MarshalText refuses is written as the standard library does.
func (d Duration) String() string {
	std := time.Duration(d)
	if std == 0 {
		return "0s"
	}
	for _, unit := range units() {
		if std%unit.size == 0 {
			return strconv.FormatInt(int64(std/unit.size), 10) + unit.name
		}
	}
	return std.String()
}

// Percent is a share in per cent, written as 50%. Whole numbers, 1%..100%; zero is "not said" and is
// written as 0%.
type Percent int

// UnmarshalText reads 50%.
func (p *Percent) UnmarshalText(text []byte) error {
	digits, found := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !found || err != nil || n < 1 || n > 100 {
		return fmt.Errorf("must be 1%%..100%%")
	}
	*p = Percent(n)
	return nil
}

// MarshalText writes 50%.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String is 50%.
func (p Percent) String() string { return strconv.Itoa(int(p)) + "%" }

// Number is a threshold: 0.01, 1e6, or with a unit that makes it one of the value's own: 1% is 0.01, 250ms is 0.25.
type Number float64

var numberForm = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?)(%|ms|s)?$`)

// UnmarshalText reads 0.01, 1% or 250ms.
func (n *Number) UnmarshalText(text []byte) error {
	parts := numberForm.FindSubmatch(text)
	if parts == nil {
		return fmt.Errorf("must be a number such as 0.01, 1%% or 250ms")
	}
	value, err := strconv.ParseFloat(string(parts[1]), 64)
	if err != nil {
		return fmt.Errorf("must be a number such as 0.01, 1%% or 250ms")
	}
	switch string(parts[2]) {
	case "%":
		value /= 100
	case "ms":
		value /= 1000
	}
	*n = Number(value)
	return nil
}

// MarshalJSON writes a plain number.
func (n Number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

// String is a plain number.
func (n Number) String() string { return strconv.FormatFloat(float64(n), 'g', -1, 64) }
