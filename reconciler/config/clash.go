package config

import (
	"fmt"
	"slices"
	"strings"
)

// Use is an application that was found in a repository.
type Use struct {
	// Repository is the name that agent.yaml gives it.
	Repository string
	// Dir is the folder of sluice.yaml.
	Dir string
	// Application is its metadata.name.
	Application string
}

func (u Use) String() string { return fmt.Sprintf("%q (%s)", u.Repository, u.Dir) }

// Clash is an application name that cannot be told apart, or that a repository may not use. It is an error that
// names everybody concerned.
type Clash struct {
	// Application is the name.
	Application string
	// Refused are those that must not be reconciled until agent.yaml or the repositories say otherwise: what
	// runs of them stays. One that is not among them goes on.
	Refused []Use
	// Reason says why.
	Reason string
}

// Error names the application and both sides.
func (c Clash) Error() string { return fmt.Sprintf("application %q: %s", c.Application, c.Reason) }

// ClashingNames finds the names that clash among all applications of all repositories, sorted by name. A
// repository that lists the name in agent.yaml keeps it, if it alone does and uses it once; all others are
// refused, all of them if there is no such repository: labels in the cluster carry the name only, so whoever
// went on could take over the other's objects.
func (a *Agent) ClashingNames(uses []Use) []Clash {
	byName := map[string][]Use{}
	for _, u := range uses {
		byName[u.Application] = append(byName[u.Application], u)
	}
	var clashes []Clash
	for name, of := range byName {
		slices.SortFunc(of, func(x, y Use) int {
			return strings.Compare(x.Repository+"\x00"+x.Dir, y.Repository+"\x00"+y.Dir)
		})
		if clash, found := a.clash(name, slices.Compact(of)); found {
			clashes = append(clashes, clash)
		}
	}
	slices.SortFunc(clashes, func(x, y Clash) int { return strings.Compare(x.Application, y.Application) })
	return clashes
}

// clash judges the uses of one name.
func (a *Agent) clash(name string, uses []Use) (Clash, bool) {
	var allowed, refused []Use
	owners := a.listing(name)
	for _, u := range uses {
		if len(owners) == 0 && a.mayUse(u) || slices.Contains(owners, u.Repository) {
			allowed = append(allowed, u)
		} else {
			refused = append(refused, u)
		}
	}
	c := Clash{Application: name, Refused: refused}
	switch {
	case len(allowed) > 1:
		c.Refused = uses
		c.Reason = "is used by more than one: " + joined(uses)
	case len(refused) > 0 && len(owners) > 0:
		c.Reason = "agent.yaml gives the name to repository " + quoted(owners) + ", it is used by " + joined(refused)
	case len(refused) > 0:
		c.Reason = "agent.yaml does not let it be used by " + joined(refused)
	default:
		return Clash{}, false
	}
	return c, true
}

// listing are the repositories that list a name.
func (a *Agent) listing(name string) []string {
	var owners []string
	for _, r := range a.Repositories {
		if Match(r.Names, name) {
			owners = append(owners, r.Name)
		}
	}
	return owners
}

func (a *Agent) mayUse(u Use) bool {
	return slices.ContainsFunc(a.Repositories, func(r Repository) bool { return r.Name == u.Repository && r.MayUse(u.Application) })
}

func joined(uses []Use) string {
	parts := make([]string, len(uses))
	for i, u := range uses {
		parts[i] = "repository " + u.String()
	}
	return strings.Join(parts, ", ")
}

func quoted(names []string) string {
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(parts, " and ")
}
