package forge

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// cut shortens a text to at most limit characters, and shows that it did.
func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}

// line makes one line of a text.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// link lets only http and https through: what people click on comes from data.
func link(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return s
}
