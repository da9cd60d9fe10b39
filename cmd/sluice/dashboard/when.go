package dashboard

import (
	"bytes"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"time"
)

// Times are written last: a template leaves an empty element, with what time it is about, and tell fills it. So a page is the
// same as long as what it shows is, and each answer says how long ago that was. live.js goes on with the same words.
var untold = regexp.MustCompile(`<time class="(ago|age|until|now)"(?: datetime="([^"]*)" title="[^"]*")?></time>`)

// when is the element of a time. Zero is none.
func when(class string, at time.Time) template.HTML {
	if at.IsZero() {
		return ""
	}
	at = at.UTC()
	// Nothing in it is anybody's but ours.
	return template.HTML(fmt.Sprintf(`<time class="%s" datetime="%s" title="%s"></time>`,
		class, at.Format(time.RFC3339), at.Format("2006-01-02 15:04:05 UTC")))
}

// tell fills the times of a page.
func tell(body []byte, now, at time.Time) []byte {
	return untold.ReplaceAllFunc(body, func(found []byte) []byte {
		part := untold.FindSubmatch(found)
		class, text := string(part[1]), ""
		if class == "now" {
			at := at.UTC()
			return fmt.Appendf(nil, `<time class="now" datetime="%s" title="%s">%s</time>`,
				at.Format(time.RFC3339), at.Format("2006-01-02 15:04:05 UTC"), at.Format("15:04:05 UTC"))
		}
		if of, err := time.Parse(time.RFC3339, string(part[2])); err == nil {
			text = relative(class, of, now)
		}
		return slices.Concat(bytes.TrimSuffix(found, []byte("</time>")), []byte(text+"</time>"))
	})
}

// relative says a time as one reads it at now: "3h ago", "in 4m 10s", and as an age "3h".
func relative(class string, of, now time.Time) string {
	d := now.Sub(of)
	switch {
	case class == "age":
		return span(d.Abs())
	case d < 0:
		return "in " + exactly(-d)
	case class == "until":
		return "now"
	case d < time.Second:
		return "just now"
	}
	return span(d) + " ago"
}

// span says how long, in its largest unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d/day))
}

// exactly says how long, in its two largest units: one waits for it.
func exactly(d time.Duration) string {
	const day = 24 * time.Hour
	switch s := int(d.Round(time.Second).Seconds()); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%dh %02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd %dh", d/day, int((d % day).Hours()))
}

// took says how long something took, of as many seconds.
func took(seconds float64) string {
	switch d := time.Duration(seconds * float64(time.Second)); {
	case seconds <= 0:
		return ""
	case d < time.Millisecond:
		return "< 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", seconds)
	default:
		return exactly(d)
	}
}
