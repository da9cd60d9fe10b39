package helm

import (
	"path"
	"slices"
	"strings"
	"text/template/parse"

	"helm.sh/helm/v3/pkg/chart"
)

// use is a place in a template that names a function whose answer changes.
type use struct {
	template string // as Helm names it
	line     int
	function string
}

// installs are the fields of .Release that tell an installation from an upgrade.
var installs = words("IsInstall IsUpgrade Revision")

// scan is what the templates of a chart say before they run. Names count, not text: a comment or a string that
// mentions randAlphaNum is no use of it.
type scan struct {
	uses     map[string][]use    // by template or define
	includes map[string][]string // by template or define
	files    []string            // of every template
	source   map[string]string   // text of every template file
	whole    bool                // .Capabilities is used in a way that only Helm's own type can answer
	tpl      bool                // text from values or files is run as a template
	reads    []use               // of .Release that says how often the chart was installed
}

func scanChart(c *chart.Chart) *scan {
	s := &scan{uses: map[string][]use{}, includes: map[string][]string{}, source: map[string]string{}}
	s.chart(c)
	slices.Sort(s.files)
	return s
}

func (s *scan) chart(c *chart.Chart) {
	for _, t := range c.Templates {
		name := path.Join(c.ChartFullPath(), t.Name)
		s.files = append(s.files, name)
		s.source[name] = string(t.Data)
		// A template that does not parse has no uses; executing it names the fault.
		for define, tree := range parseTemplate(name, string(t.Data)) {
			if tree.Root != nil {
				v := visitor{scan: s, template: name, define: define, text: string(t.Data)}
				v.node(tree.Root)
			}
		}
	}
	for _, sub := range c.Dependencies() {
		s.chart(sub)
	}
}

func parseTemplate(name, text string) map[string]*parse.Tree {
	tree := parse.New(name)
	tree.Mode = parse.SkipFuncCheck
	set := map[string]*parse.Tree{}
	if _, err := tree.Parse(text, "", "", set); err != nil {
		return nil
	}
	return set
}

// ordered reports whether any template names a function that answers in the order of a map, and chance whether any
// names one of chance or of the clock.
func (s *scan) ordered() bool { return s.any(func(u use) bool { return settled[u.function] != "" }) }

func (s *scan) chance() bool { return s.any(func(u use) bool { return settled[u.function] == "" }) }

func (s *scan) any(is func(use) bool) bool {
	for _, uses := range s.uses {
		if slices.ContainsFunc(uses, is) {
			return true
		}
	}
	return false
}

// reach finds the first use that a template gets to, itself or through what it includes: of the order of a map, or of
// chance and the clock.
func (s *scan) reach(template string, order bool) (use, bool) {
	queue, seen := []string{template}, map[string]bool{}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		for _, u := range s.uses[at] {
			if (settled[u.function] != "") == order {
				return u, true
			}
		}
		queue = append(queue, s.includes[at]...)
	}
	return use{}, false
}

// visitor walks one template or define.
type visitor struct {
	scan                   *scan
	template, define, text string
}

func (v visitor) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			v.nodes(n.Nodes)
		}
	case *parse.ActionNode:
		v.node(n.Pipe)
	case *parse.IfNode:
		v.branch(&n.BranchNode)
	case *parse.RangeNode:
		v.branch(&n.BranchNode)
	case *parse.WithNode:
		v.branch(&n.BranchNode)
	case *parse.TemplateNode:
		v.scan.includes[v.define] = append(v.scan.includes[v.define], n.Name)
		v.node(n.Pipe)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				v.command(c)
			}
		}
	case *parse.IdentifierNode:
		v.function(n)
	case *parse.FieldNode:
		v.fields(n.Ident, n.Pos)
	case *parse.VariableNode:
		v.fields(n.Ident, n.Pos)
	case *parse.ChainNode:
		v.node(n.Node)
		v.fields(n.Field, n.Pos)
	case *parse.StringNode:
		v.scan.whole = v.scan.whole || n.Text == "Capabilities" // get . "Capabilities"
	}
}

func (v visitor) nodes(list []parse.Node) {
	for _, n := range list {
		v.node(n)
	}
}

func (v visitor) branch(b *parse.BranchNode) {
	v.node(b.Pipe)
	v.node(b.List)
	v.node(b.ElseList)
}

func (v visitor) command(c *parse.CommandNode) {
	if id, ok := c.Args[0].(*parse.IdentifierNode); ok && id.Ident == "include" && len(c.Args) > 1 {
		if name, ok := c.Args[1].(*parse.StringNode); ok {
			v.scan.includes[v.define] = append(v.scan.includes[v.define], name.Text)
		}
	}
	v.nodes(c.Args)
}

func (v visitor) function(n *parse.IdentifierNode) {
	if n.Ident == "tpl" {
		v.scan.tpl = true
	}
	if unstable(n.Ident) {
		v.scan.uses[v.define] = append(v.scan.uses[v.define], use{v.template, v.line(n.Pos), n.Ident})
	}
}

func (v visitor) line(at parse.Pos) int {
	return 1 + strings.Count(v.text[:min(int(at), len(v.text))], "\n")
}

// fields looks at a chain such as .Capabilities.APIVersions.Has.
func (v visitor) fields(chain []string, at parse.Pos) {
	if i := slices.Index(chain, "Release"); i >= 0 && i+1 < len(chain) && installs[chain[i+1]] {
		v.scan.reads = append(v.scan.reads, use{v.template, v.line(at), ".Release." + chain[i+1]})
	}
	i := slices.Index(chain, "Capabilities")
	if i < 0 {
		return
	}
	rest := chain[i+1:]
	fine := len(rest) >= 2 && (rest[0] == "KubeVersion" || rest[0] == "HelmVersion" ||
		rest[0] == "APIVersions" && rest[1] == "Has")
	v.scan.whole = v.scan.whole || !fine
}
