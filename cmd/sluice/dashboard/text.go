package dashboard

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"html/template"
	"net/url"
	"strings"
	"unicode/utf8"
)

// functions are what templates may call beyond html/template's own.
func functions(assets map[string]string) template.FuncMap {
	return template.FuncMap{
		"asset":   func(name string) string { return assets[name] },
		"ago":     func(at timeOf) template.HTML { return when("ago", at) },
		"age":     func(at timeOf) template.HTML { return when("age", at) },
		"until":   func(at timeOf) template.HTML { return when("until", at) },
		"shown":   func() template.HTML { return `<time class="now"></time>` },
		"took":    took,
		"short":   short,
		"hash":    hash,
		"id":      id,
		"at":      address,
		"web":     web,
		"join":    strings.Join,
		"icon":    icon,
		"plural":  plural,
		"percent": func(of float64) string { return fmt.Sprintf("%.0f%%", 100*of) },
		"number":  number,
		"bar":     stageMarks,
		"dots":    dotsOf,
		"add":     func(a, b int) int { return a + b },
	}
}

// short cuts a text to as many letters. The whole of it is on another page, or in a title.
func short(letters int, text string) string {
	if len(text) <= letters {
		return text
	}
	n := 0
	for i := range text {
		if n++; n > letters {
			return text[:i] + "…"
		}
	}
	return text
}

// hash shortens a revision, and leaves what is none.
func hash(revision string) string {
	if len(revision) >= 40 && strings.Trim(revision, "0123456789abcdef") == "" {
		return revision[:7]
	}
	return short(20, revision)
}

// id is an element's name for what has these names: the same on each answer, and no other's, whatever is in them.
func id(kind string, names ...string) string {
	sum := fnv.New64a()
	for _, n := range names {
		fmt.Fprintf(sum, "%d:%s", len(n), n)
	}
	return fmt.Sprintf("%s-%x", kind, sum.Sum64())
}

// address is a page's, below the names.
func address(names ...string) string {
	var out strings.Builder
	for _, n := range names {
		out.WriteByte('/')
		out.WriteString(url.PathEscape(n))
	}
	return out.String()
}

// web returns an address that may be followed, or nothing: http and https alone lead anywhere from here.
func web(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return address
}

// icon is one of those in templates/icons.html. It is told beside a word, so it says nothing itself.
func icon(name string) template.HTML {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
		return ""
	}
	return template.HTML(`<svg class="icon" aria-hidden="true"><use href="#i-` + name + `"/></svg>`)
}

func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// number says a measured value as shortly as it can be told apart from others.
func number(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.4g", v), ".0") }

// visibly gives what has no shape one: a control character is shown as its picture, and what would turn the direction of the
// text around it as a replacement. Templates have none of them, so whatever is found is data.
func visibly(body []byte) []byte {
	return bytes.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '␀' + r
		case r == 0x7f:
			return '␡'
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return utf8.RuneError
		}
		return r
	}, body)
}
