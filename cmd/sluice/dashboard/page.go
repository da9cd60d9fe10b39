package dashboard

import (
	"bytes"
	"embed"
	"encoding/hex"
	"hash/fnv"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-cd/sluice/reconciler/view"
)

//go:embed templates assets
var files embed.FS

// page is what all pages have.
type page struct {
	Title  string // of this page; the whole one's is Of
	Of     string
	Here   string // which of the sections it is in: home or agent
	Viewer string // who looks; empty where nobody has to say
	Leave  string // where their session is ended; empty where there is none
	Origin view.Origin
	Trail  []crumb // where it lies, from the top
	Said   []said  // what is to be known before anything on it is believed
	Card   card    // what a link to it says where it is pasted
}

// crumb is a page above the present one.
type crumb struct{ Text, URL string }

// said is what makes a page doubtful, since when (zero where it is no matter of time), and what follows from it.
type said struct {
	State state
	Text  string
	Since time.Time
	More  string
}

// FromNotes reports whether there is no cluster behind the page.
func (p page) FromNotes() bool { return p.Origin == view.FromNotes }

// newPage returns what a page has that shows something of a board.
func (s *Server) newPage(from view.Source, title, here string, board view.Board, trail ...crumb) page {
	p := page{Title: title, Of: s.config.Title, Here: here, Origin: board.Origin, Trail: trail}
	if p.Of == "" {
		p.Of = board.Agent.Name
	}
	if v, ok := from.(visible); ok {
		p.Viewer, p.Leave = v.viewer.Name, v.viewer.Leave
	}
	p.Said = warnings(board)
	p.Card = boardCard(title+" · "+p.Of, board)
	return p
}

// warnings are what makes the whole board doubtful.
func warnings(board view.Board) []said {
	var out []said
	if board.Origin == view.FromNotes {
		out = append(out, said{State: unknown, Text: "This is what Git notes say",
			More: "No cluster is asked here: what was reported last may be otherwise by now."})
	}
	if board.Stale != "" {
		out = append(out, said{State: sick, Text: "This is the last that is known: " + short(300, board.Stale) + "."})
	}
	for _, c := range board.Agent.Clusters {
		if !c.Ready {
			out = append(out, said{sick, "Cluster " + short(80, c.Name) + " has not answered", c.Since,
				"What is shown of it is the last that was known." + because(c.Error)})
		}
	}
	for _, r := range board.Agent.Repositories {
		if !r.Failing.IsZero() {
			out = append(out, said{sick, "Repository " + short(80, r.Name) + " has not answered", r.Failing,
				"Newer commits are not known." + because(r.Error)})
		}
	}
	return out
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + short(200, reason) + ")"
}

// made is a page without what differs from answer to answer: the times, and who looks.
type made struct {
	body  []byte
	tag   string
	at    time.Time // of what it shows
	since time.Time // when it was made, where it is kept
}

// who is whom a page is made for.
func (p page) who() Viewer { return Viewer{Name: p.Viewer, Leave: p.Leave} }

// show writes a page, all of it or nothing. at is of what it shows. A browser that has the same already is told so; that times
// have gone by is no difference.
func (s *Server) show(w http.ResponseWriter, r *http.Request, name string, at time.Time, data interface{ who() Viewer }) error {
	return s.showAs(w, r, http.StatusOK, name, at, data)
}

func (s *Server) showAs(w http.ResponseWriter, r *http.Request, status int, name string, at time.Time, data interface{ who() Viewer }) error {
	var text bytes.Buffer
	if err := s.templates.ExecuteTemplate(&text, name, data); err != nil {
		return err
	}
	m := made{body: visibly(text.Bytes()), at: at}
	sum := fnv.New128a()
	sum.Write(m.body[max(0, bytes.Index(m.body, []byte("<body"))):]) // what is above is for others than its reader, and has times
	m.tag = `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
	if c, ok := w.(*catcher); ok {
		c.made = m
		return nil
	}
	return s.send(w, r, status, m, data.who())
}

// send answers with a page that was made.
func (s *Server) send(w http.ResponseWriter, r *http.Request, status int, m made, to Viewer) error {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	if status == http.StatusOK {
		h.Set("ETag", m.tag)
		if r.Header.Get("If-None-Match") == m.tag {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	var name bytes.Buffer
	if err := s.templates.ExecuteTemplate(&name, "viewer", to); err != nil {
		return err
	}
	body := tell(bytes.Replace(m.body, []byte(nobody), visibly(name.Bytes()), 1), s.config.Now(), m.at)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever is gone cannot be told
	return nil
}

// nobody stands in a page where it says who looks.
const nobody = `<p class="viewer"></p>`

// parsed are the templates, with what they may call.
func parsed(assets map[string]string) (*template.Template, error) {
	return template.New("").Funcs(functions(assets)).ParseFS(files, "templates/*.html")
}
