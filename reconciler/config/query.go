package config

import (
	"errors"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Names are what a query may name: the application, its environment, and what matches the names of the new and of the
// proven pods.
type Names struct{ App, Env, Canary, Stable string }

var errQuery = errors.New("must have nothing but {{.App}}, {{.Env}}, {{.Canary}} and {{.Stable}} in double braces")

// queryNames are the names that a query uses.
func queryNames(query string) ([]string, error) {
	names, ok := bracedNames(query, "App", "Env", "Canary", "Stable")
	if !ok {
		return nil, errQuery
	}
	return names, nil
}

// bracedNames are the names that a text has in double braces. Anything else there is not permitted: a template can loop.
func bracedNames(text string, known ...string) (names []string, ok bool) {
	t, err := template.New("").Parse(text)
	if err != nil || t.Tree == nil || len(t.Templates()) > 1 {
		return nil, false
	}
	for _, node := range t.Root.Nodes {
		if node.Type() == parse.NodeText {
			continue
		}
		name, ok := printed(node)
		if !ok || !slices.Contains(known, name) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// printed is the one field that an action prints.
func printed(node parse.Node) (string, bool) {
	action, ok := node.(*parse.ActionNode)
	if !ok || len(action.Pipe.Decl) > 0 || len(action.Pipe.Cmds) != 1 || len(action.Pipe.Cmds[0].Args) != 1 {
		return "", false
	}
	field, ok := action.Pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(field.Ident) != 1 {
		return "", false
	}
	return field.Ident[0], true
}

// Uses reports whether the query has {{.name}}.
func (a Analysis) Uses(name string) bool {
	names, err := queryNames(a.Query)
	for _, n := range names {
		if err == nil && n == name {
			return true
		}
	}
	return false
}

// Expand is the query with the names replaced.
func (a Analysis) Expand(names Names) (string, error) {
	if _, err := queryNames(a.Query); err != nil {
		return "", err
	}
	t, err := template.New("").Parse(a.Query)
	if err != nil {
		return "", errQuery
	}
	var text strings.Builder
	if err := t.Execute(&text, names); err != nil {
		return "", errQuery
	}
	return text.String(), nil
}

// PodMatcher is a regular expression that matches exactly these names of pods, for between the quotes of PromQL.
func PodMatcher(pods []string) string {
	return strings.ReplaceAll(strings.Join(pods, "|"), ".", "[.]") // all else in a name stands for itself
}
