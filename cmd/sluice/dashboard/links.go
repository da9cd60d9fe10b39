package dashboard

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// commitLink is where a commit is to be seen, or nothing.
func (s *Server) commitLink(of view.Cell, revision string) string {
	if revision == "" {
		return ""
	}
	return filled(s.config.Links.Commit, of, revision)
}

// requestLink is where the request is to be seen that a release was merged by, or nothing.
func (s *Server) requestLink(of view.Cell, merged *view.Merged, revision string) string {
	if merged == nil || merged.Request == 0 {
		return ""
	}
	return filled(strings.ReplaceAll(s.config.Links.Request, "{request}", strconv.Itoa(merged.Request)), of, revision)
}

// moreLinks lead from an environment to elsewhere.
func (s *Server) moreLinks(of view.Cell) []Link {
	var out []Link
	for _, l := range s.config.Links.More {
		if address := filled(l.Address, of, of.Release.Revision); address != "" {
			out = append(out, Link{l.Text, address})
		}
	}
	return out
}

// filled is a template's address for an environment. What is put in cannot become another part of the address.
func filled(template string, of view.Cell, revision string) string {
	as := func(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
	return web(strings.NewReplacer("{app}", as(of.Application), "{env}", as(of.Environment), "{revision}", as(revision),
		"{namespace}", as(of.Namespace), "{repository}", as(of.Repository)).Replace(template))
}
