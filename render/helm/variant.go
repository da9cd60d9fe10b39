package helm

import (
	"regexp"
	"strconv"
	"strings"
	"text/template/parse"
)

// random functions answer differently at each call; two renders show it.
var random = words(`randAlphaNum randAlpha randAscii randNumeric randBytes randInt shuffle uuidv4 bcrypt htpasswd
	encryptAES genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert
	genSignedCertWithKey`)

// turned functions depend on the clock or on the order of a map, which two renders in a row need not show. Two variants
// pipe their answers through something that gives answers of the same kind, but different ones: the order of the
// alphabet and that order turned round; the clock, and the clock moved back by more than a year (and by an odd rest, so
// that every format shows it). Pairs of function and argument.
var turned = map[string]struct{ one, other []string }{
	"now":    {nil, []string{"dateModify", "-9613h7m11s"}},
	"ago":    {nil, []string{"printf", "%s."}},
	"keys":   {[]string{"sortAlpha", ""}, []string{"sortAlpha", "", "reverse", ""}},
	"values": {nil, []string{"reverse", ""}},
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

func unstable(function string) bool {
	_, ok := turned[function]
	return ok || random[function]
}

var unstableWord = regexp.MustCompile(`\b(rand[A-Z]\w*|gen[A-Z]\w*|shuffle|uuidv4|bcrypt|htpasswd|encryptAES|now|ago|keys|values)\b`)

// inText says whether text that may be run by tpl names such a function.
func inText(text string) bool {
	return strings.Contains(text, "{{") && unstableWord.MatchString(text)
}

// variant rewrites a template so that each turned function gives one answer or the other. A template that does not
// parse, or names none, comes back as it was.
func variant(name, text string, other bool) string {
	set := parseTemplate(name, text)
	changed := false
	var b strings.Builder
	for define, tree := range set {
		if tree.Root == nil {
			continue
		}
		t := turner{other: other}
		t.node(tree.Root)
		changed = changed || t.changed
		if define == name {
			continue
		}
		b.WriteString("{{define " + strconv.Quote(define) + "}}" + tree.Root.String() + "{{end}}")
	}
	if !changed {
		return text
	}
	if main := set[name]; main != nil && main.Root != nil {
		b.WriteString(main.Root.String())
	}
	return b.String()
}

// turner changes a parse tree in place.
type turner struct{ other, changed bool }

func (t *turner) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				t.node(c)
			}
		}
	case *parse.ActionNode:
		t.node(n.Pipe)
	case *parse.IfNode:
		t.branch(&n.BranchNode)
	case *parse.RangeNode:
		t.branch(&n.BranchNode)
	case *parse.WithNode:
		t.branch(&n.BranchNode)
	case *parse.TemplateNode:
		t.node(n.Pipe)
	case *parse.ChainNode:
		t.node(n.Node)
	case *parse.PipeNode:
		if n != nil {
			t.pipe(n)
		}
	}
}

func (t *turner) branch(b *parse.BranchNode) {
	t.node(b.Pipe)
	t.node(b.List)
	t.node(b.ElseList)
}

func (t *turner) pipe(p *parse.PipeNode) {
	var cmds []*parse.CommandNode
	for _, c := range p.Cmds {
		cmds = append(cmds, c)
		for i, arg := range c.Args {
			id, ok := arg.(*parse.IdentifierNode)
			if !ok {
				t.node(arg)
				continue
			}
			pairs := turned[id.Ident].one
			if t.other {
				pairs = turned[id.Ident].other
			}
			extra := commands(pairs)
			t.changed = t.changed || len(extra) > 0
			switch {
			case len(extra) == 0:
			case i == 0:
				cmds = append(cmds, extra...)
			default: // an argument, as in: date "2006" now
				self := &parse.CommandNode{NodeType: parse.NodeCommand, Args: []parse.Node{id}}
				c.Args[i] = &parse.PipeNode{NodeType: parse.NodePipe, Cmds: append([]*parse.CommandNode{self}, extra...)}
			}
		}
	}
	p.Cmds = cmds
}

// commands builds the calls of a list of pairs, function and argument; no argument when it is empty.
func commands(pairs []string) []*parse.CommandNode {
	var cmds []*parse.CommandNode
	for i := 0; i+1 < len(pairs); i += 2 {
		args := []parse.Node{parse.NewIdentifier(pairs[i])}
		if arg := pairs[i+1]; arg != "" {
			args = append(args, &parse.StringNode{NodeType: parse.NodeString, Quoted: strconv.Quote(arg), Text: arg})
		}
		cmds = append(cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Args: args})
	}
	return cmds
}
