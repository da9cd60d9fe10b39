package access

import (
	"html/template"
	"net/http"
	"strings"
)

// answer is what somebody reads who does not get a page.
type answer struct {
	Status      int
	Title, Text string
	Link        string // what to do next
	Do          string // the link's text
}

// It needs no script, and of the dashboard nothing but its stylesheet.
var paper = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{{.Title}}</title><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><link rel="stylesheet" href="/assets/style.css"></head>
<body><main id="main"><div class="nothing"><h1>{{.Title}}</h1><p>{{.Text}}</p>{{if .Do}}<p><a class="button" href="{{.Link}}">{{.Do}}</a></p>{{end}}</div></main></body></html>
`))

// give answers, to a person as a page.
func (a answer) give(w http.ResponseWriter, r *http.Request) {
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.Error(w, a.Title+". "+a.Text, a.Status)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(a.Status)
	_ = paper.Execute(w, a) //nolint:errcheck // who asked is gone
}

// stranger is somebody who is known and may see nothing.
func stranger(w http.ResponseWriter, r *http.Request) {
	answer{
		Status: http.StatusForbidden, Title: "Nothing here is for you",
		Text: "You are known, but dashboard.access.sees of agent.yaml names neither you nor a group of yours.",
	}.give(w, r)
}
