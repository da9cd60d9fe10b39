package record

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a line may weigh. A note of 10,000 lines is then still read in well under a second, and an outbox of
// some fifty lines fits the one MiB of a Secret.
const (
	maxWord     = 256     // names, hashes, kinds
	maxText     = 1 << 10 // reason, message
	maxObject   = 512     // the reason of one object or pod
	maxSaid     = 256     // a line of a log
	maxPods     = 5 << 10 // all pods, encoded
	maxWarnings = 5
	// mostMeasured: ten of them are below 700 bytes each.
	mostMeasured = 10
	maxEvidence  = 14 << 10 // all evidence, encoded: an object has room beside all of the others
	maxLine      = 64 << 10 // what a reader looks at; what we write stays below 24 KiB
)

// cutMark ends a text that was cut.
const cutMark = "… (cut)"

// userInfo finds the credentials in a URL.
var userInfo = regexp.MustCompile(`(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#"'<>]*@`)

// bounded returns the line with every text masked, cleaned and cut. It is idempotent. mask may be nil.
func bounded(l Line, mask func(string) string) Line {
	word := func(s string) string { return cut(hide(s, nil), maxWord) }
	for _, field := range []*string{&l.Application, &l.Environment, &l.Cluster, &l.Agent, (*string)(&l.Phase),
		&l.Revision, &l.Trigger, &l.Inputs, &l.Digest, &l.Health} {
		*field = word(*field)
	}
	l.Reason = cut(hide(l.Reason, mask), maxText)
	l.Message = cut(hide(l.Message, mask), maxText)
	l.At = l.At.UTC().Truncate(time.Millisecond)
	l.Evidence = boundedEvidence(l.Evidence, mask)
	return l
}

// boundedEvidence drops the last objects until what is left fits, and counts them.
func boundedEvidence(e Evidence, mask func(string) string) Evidence {
	if math.IsNaN(e.Seconds) || math.IsInf(e.Seconds, 0) || e.Seconds < 0 {
		e.Seconds = 0
	}
	e.Seconds = math.Round(min(e.Seconds, 1e9)*1000) / 1000
	var size int
	e.Pods, size = boundedPods(e.Pods, mask)
	e.Warnings = slices.Clone(e.Warnings[:min(len(e.Warnings), maxWarnings)])
	for i, warning := range e.Warnings {
		e.Warnings[i] = cut(hide(warning, mask), maxSaid)
		size += 2*len(e.Warnings[i]) + 3 // quotes and backslashes take two bytes
	}
	var measured []Measured
	for _, m := range e.Measured[:min(len(e.Measured), mostMeasured)] {
		m.Analysis, m.Last = cut(hide(m.Analysis, mask), maxWord), cut(hide(m.Last, mask), maxWord)
		measured = append(measured, m)
	}
	e.Measured = measured
	encoded, err := json.Marshal(measured)
	if err != nil {
		e.Measured = nil
	}
	size += len(encoded)
	var objects []Object
	for i, object := range e.NotWell {
		object.Object = cut(hide(object.Object, mask), maxWord)
		object.Health = cut(hide(object.Health, nil), maxWord)
		object.Reason = cut(hide(object.Reason, mask), maxObject)
		encoded, err := json.Marshal(object)
		// 256 bytes are for the counts and the brackets.
		if size += len(encoded) + 1; err != nil || size > maxEvidence-256 {
			e.More += len(e.NotWell) - i
			break
		}
		objects = append(objects, object)
	}
	e.NotWell = objects
	return e
}

// boundedPods drops the last pods until what is left fits, and returns its size.
func boundedPods(pods []Pod, mask func(string) string) (kept []Pod, size int) {
	for _, pod := range pods {
		pod.Pod, pod.Container = cut(hide(pod.Pod, nil), maxWord), cut(hide(pod.Container, nil), maxWord)
		pod.Reason = cut(hide(pod.Reason, mask), maxObject)
		pod.LastLines = slices.Clone(pod.LastLines)
		for i, line := range pod.LastLines {
			pod.LastLines[i] = cut(hide(line, mask), maxSaid)
		}
		encoded, err := json.Marshal(pod)
		if err != nil || size+len(encoded)+1 > maxPods {
			break
		}
		kept, size = append(kept, pod), size+len(encoded)+1
	}
	return kept, size
}

// hide removes what must not be seen. The mask runs before and after the cleaning, because a secret may be
// found only with its control characters, or only without them.
func hide(s string, mask func(string) string) string {
	if s == "" {
		return s
	}
	if mask == nil {
		return clean(s)
	}
	return clean(mask(clean(mask(s))))
}

// clean returns valid UTF-8 on one line, without control and formatting characters (which could repaint a
// terminal or turn the reading direction) and without the user-info of URLs.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.TrimSpace(userInfo.ReplaceAllString(s, "${1}"))
}

// cut shortens s to at most size bytes, mark included, and never within a character.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	end := size - len(cutMark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cutMark
}
