package access

import (
	"path"
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
)

// Sight is what some people see.
type Sight struct {
	Groups, Users []string // whom, word for word
	Applications  []string // names or globs
}

// Sees says who sees what: the applications of every sight that names them. Nil: everybody sees all.
type Sees []Sight

// known is somebody who is known.
type known struct {
	user   string // what Sees compares
	name   string // what people read
	groups []string
}

// longest is what a name may have. It is shown, and counted by.
const longest = 200

// viewer returns what somebody sees. False: nobody, or somebody whom no sight names.
func (s Sees) viewer(k known) (dashboard.Viewer, bool) {
	if strings.TrimSpace(k.user) == "" || len(k.user) > longest {
		return dashboard.Viewer{}, false
	}
	if strings.TrimSpace(k.name) == "" || len(k.name) > longest {
		k.name = k.user
	}
	if s == nil {
		return dashboard.Viewer{Name: k.name, ID: k.user}, true
	}
	var globs []string
	for _, sight := range s {
		if slices.Contains(sight.Users, k.user) || slices.ContainsFunc(sight.Groups, func(g string) bool { return slices.Contains(k.groups, g) }) {
			globs = append(globs, sight.Applications...)
		}
	}
	if len(globs) == 0 {
		return dashboard.Viewer{}, false
	}
	return dashboard.Viewer{Name: k.name, ID: k.user, Sees: func(application string) bool {
		return slices.ContainsFunc(globs, func(glob string) bool {
			matched, err := path.Match(glob, application)
			return err == nil && matched
		})
	}}, true
}
