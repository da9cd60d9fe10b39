package config

import (
	"path"
	"slices"
	"strings"
)

// Match reports whether a name is among names or globs (path.Match). No patterns match nothing.
func Match(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matched, err := path.Match(pattern, name)
		return err == nil && matched
	})
}

// MatchKind reports whether a kind is among patterns: one with a dot is compared with Kind.group (of the core
// group: "Kind."), one without with Kind alone.
func MatchKind(patterns []string, group, kind string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		name := kind
		if strings.Contains(pattern, ".") {
			name += "." + group
		}
		return Match([]string{pattern}, name)
	})
}

// Permission is what an application may do in an environment: the first of Permissions that matches both. The
// result points into a. False: nothing, the application is Blocked there.
func (a *Agent) Permission(app, environment string) (*Permission, bool) {
	for i := range a.Permissions {
		p := &a.Permissions[i]
		if Match(p.Applications, app) && Match(p.Environments, environment) {
			return p, true
		}
	}
	return nil, false
}

// Serves is the environment as this agent serves it; the result points into a.
func (a *Agent) Serves(environment string) (*Served, bool) {
	for i := range a.Environments {
		if a.Environments[i].Name == environment {
			return &a.Environments[i], true
		}
	}
	return nil, false
}

// Reserved reports whether no application may touch a namespace: those of Kubernetes and the agent's own.
func (a *Agent) Reserved(namespace string) bool {
	return namespace == a.StateNamespace || slices.Contains(ReservedNamespaces(), namespace)
}

// MayTouch reports whether objects of an application with this permission may be in a namespace.
func (a *Agent) MayTouch(p *Permission, namespace string) bool {
	return !a.Reserved(namespace) && Match(p.Namespaces, namespace)
}

// Account is the service account that is impersonated in an environment's namespace.
func (p *Permission) Account(namespace string) (accountNamespace, name string) {
	if before, after, found := strings.Cut(p.ServiceAccount, "/"); found {
		return before, after
	}
	return namespace, p.ServiceAccount
}

// Allows reports whether objects of a kind are allowed; namespaced says whether the kind's objects are in
// namespaces.
func (k Kinds) Allows(group, kind string, namespaced bool) bool {
	allowed := k.ClusterWide
	if namespaced {
		allowed = k.Allow
		if allowed == nil {
			allowed = []string{"*"}
		}
	}
	return MatchKind(allowed, group, kind) && !MatchKind(k.Deny, group, kind)
}

// Counts are the further public keys whose lines count for an environment.
func (a *Agent) Counts(environment string) []Key {
	var keys []Key
	for _, k := range a.Keys {
		if Match(k.Environments, environment) {
			keys = append(keys, k)
		}
	}
	return keys
}

// MayUse reports whether the repository's own list of names lets it use an application name. Without a list
// it may, unless another repository lists or uses the name too: see Agent.ClashingNames.
func (r Repository) MayUse(app string) bool {
	return len(r.Names) == 0 || Match(r.Names, app)
}
