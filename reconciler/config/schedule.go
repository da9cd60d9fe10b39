package config

import (
	"errors"
	"strings"
	"time"
	_ "time/tzdata" // the image is made from scratch: it has no time zones of its own

	"github.com/robfig/cron/v3"
)

// Next is when to poll again after a moment: after the interval, made up to 10% longer by chance, a number
// from 0 to 1 that spreads many repositories out; or at the next moment of cron, to which chance adds nothing.
// p is one that ParseAgent returned.
func (p Poll) Next(after time.Time, chance float64) time.Time {
	if p.Cron != "" {
		times, errTimes := schedule(p.Cron)
		zone, errZone := timeZone(p.TimeZone)
		if errTimes == nil && errZone == nil {
			return times.Next(after.In(zone))
		}
	}
	interval := p.Interval.Std()
	if interval <= 0 {
		interval = defaultInterval
	}
	return after.Add(interval + time.Duration(float64(interval)/10*min(max(chance, 0), 1)))
}

// schedule reads a cron expression of five fields that comes at some time.
func schedule(expression string) (cron.Schedule, error) {
	// The parser takes a time zone in front, and descriptors such as @every, and can panic on some.
	if strings.ContainsAny(expression, "=@") || len(expression) > 200 {
		return nil, errors.New("must be a cron expression of five fields")
	}
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	times, err := parser.Parse(expression)
	if err != nil {
		return nil, errors.New("must be a cron expression of five fields")
	}
	// Eight years hold every date that there is, 29 February across 2100 included.
	for year := 2096; year <= 2101; year += 5 {
		if !times.Next(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
			return times, nil
		}
	}
	return nil, errors.New("must be a cron expression that comes at some time")
}

// timeZone reads an IANA name. Where the agent happens to run plays no part.
func timeZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, errors.New("must be an IANA time zone such as Europe/Berlin")
	}
	return zone, nil
}
