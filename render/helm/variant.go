package helm

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"
)

// random functions answer differently at each call; two renders show it, where luck does not have it.
var random = words(`randAlphaNum randAlpha randAscii randNumeric randBytes randInt shuffle uuidv4 bcrypt htpasswd
	encryptAES genPrivateKey genCA genCAWithKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert
	genSignedCertWithKey`)

// The marks around a random text in the other variant. No function makes them, so that two renders never agree by luck,
// and where the random text begins and ends in a longer one is known.
const (
	markBegin = "\u2039"
	markEnd   = "\u203a"
)

// Marked reports whether a text has a mark of the other variant.
func Marked(text string) bool { return strings.Contains(text, markBegin) }

// settled functions answer in the order of a map, which is another at each call. What is put in their place answers in
// the order of the keys.
var settled = map[string]string{
	"keys":   "keys | sortAlpha",
	"values": `include "sluice.values" | fromJsonArray`,
}

// sortedValues is the define that stands in for values: range goes through a map in the order of its keys.
const sortedValues = `{{define "sluice.values"}}[{{$n := 0}}{{range $v := .}}{{if $n}},{{end}}{{$n = 1}}{{toJson $v}}{{end}}]{{end}}`

// The other variant moves the clock back by more than a year (and by an odd rest, so that every format shows it), makes
// numbers others, and marks texts.
var (
	moved  = map[string]string{"now": `now | dateModify "-9613h7m11s"`, "ago": `ago | printf "%s."`}
	others = map[string]string{"randInt": "randInt | mul -1 | add -1"}
	marked = words("randAlphaNum randAlpha randAscii randNumeric randBytes shuffle uuidv4")
)

// turn is how a pass differs from the templates as they are written.
type turn struct {
	settle  bool // what depends on the order of a map is in the order of its keys,
	reverse bool // turned round
	move    bool // the clock shows another time
	mark    bool // chance shows, whatever it gives
}

// instead returns what stands in the place of a function; false: the function itself.
func (t turn) instead(function string) (string, bool) {
	if text, ok := settled[function]; ok {
		if t.reverse {
			text += " | reverse"
		}
		return text, t.settle
	}
	if text, ok := moved[function]; ok {
		return text, t.move
	}
	if text, ok := others[function]; ok {
		return text, t.mark
	}
	return function + ` | printf "` + markBegin + "%s" + markEnd + `"`, t.mark && marked[function]
}

func words(list string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(list) {
		set[w] = true
	}
	return set
}

func unstable(function string) bool {
	_, order := settled[function]
	_, clock := moved[function]
	return order || clock || random[function]
}

var unstableWord = regexp.MustCompile(`\b(rand[A-Z]\w*|gen[A-Z]\w*|shuffle|uuidv4|bcrypt|htpasswd|encryptAES|now|ago|keys|values)\b`)

// inText says whether text that may be run by tpl names such a function.
func inText(text string) bool {
	return strings.Contains(text, "{{") && unstableWord.MatchString(text)
}

// orderWord finds the functions that answer in the order of a map.
var orderWord = regexp.MustCompile(`\b(keys|values)\b`)

// variant rewrites a template as a turn says. A template that does not parse, or in which nothing is turned, comes back
// as it was.
func variant(name, text string, t turn) string {
	set := parseTemplate(name, text)
	changed, sorted := false, false
	var b strings.Builder
	for define, tree := range set {
		if tree.Root == nil {
			continue
		}
		w := turner{turn: t}
		w.node(tree.Root)
		changed, sorted = changed || w.changed, sorted || w.sorted
		if define == name {
			continue
		}
		b.WriteString("{{define " + strconv.Quote(define) + "}}" + tree.Root.String() + "{{end}}")
	}
	if !changed {
		return text
	}
	if sorted {
		b.WriteString(sortedValues)
	}
	if main := set[name]; main != nil && main.Root != nil {
		b.WriteString(main.Root.String())
	}
	return b.String()
}

// turner changes a parse tree in place.
type turner struct {
	turn
	changed, sorted bool
}

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
		var after []*parse.CommandNode
		for i, arg := range c.Args {
			id, ok := arg.(*parse.IdentifierNode)
			if !ok {
				t.node(arg)
				continue
			}
			text, ok := t.instead(id.Ident)
			if !ok {
				continue
			}
			made := commands(text)
			t.changed, t.sorted = true, t.sorted || id.Ident == "values"
			if i == 0 { // its own arguments stay behind it
				c.Args, after = slices.Concat(made[0].Args, c.Args[1:]), made[1:]
			} else { // an argument, as in: date "2006" now
				c.Args[i] = &parse.PipeNode{NodeType: parse.NodePipe, Cmds: made}
			}
		}
		cmds = append(append(cmds, c), after...)
	}
	p.Cmds = cmds
}

// commands parses the commands of a pipeline.
func commands(text string) []*parse.CommandNode {
	action, ok := parseTemplate("turn", "{{"+text+"}}")["turn"].Root.Nodes[0].(*parse.ActionNode)
	if !ok {
		return nil
	}
	return action.Pipe.Cmds
}
