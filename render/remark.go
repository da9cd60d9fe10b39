package render

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Remark is what the author of a chart should know, though it renders.
type Remark struct {
	Path string `json:"path"` // of a template in the tree
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
}

func (r Remark) String() string {
	if r.Line > 0 {
		return fmt.Sprintf("%s: line %d: %s", r.Path, r.Line, r.Text)
	}
	return r.Path + ": " + r.Text
}

// remarks names the templates that ask whether they are installed for the first time, and those whose objects have the
// order of a map. It renders up to three times.
func remarks(ctx context.Context, tree Tree, req Request) ([]Remark, error) {
	g := generation{ctx: ctx, view: newView(ctx, tree), req: req}
	first := &pass{}
	result, err := g.once(first)
	if err != nil {
		return nil, err
	}
	var all []Remark
	ordered := false
	for _, c := range first.charts {
		for _, read := range c.Reads {
			all = append(all, Remark{read.Path, read.Line, "reads " + read.Of +
				": it is always rendered as if it were installed for the first time, so that a revert gives what was there before"})
		}
		ordered = ordered || c.Ordered
	}
	if ordered {
		remarks, err := g.orderRemarks(result, first)
		if err != nil {
			return nil, err
		}
		all = append(all, remarks...)
	}
	return all, nil
}

// orderRemarks finds what comes out differently when maps are turned round.
func (g *generation) orderRemarks(result *Result, first *pass) (all []Remark, err error) {
	var generated []leaf
	if first.repeats() > 0 {
		if generated, err = g.leaves(result, first); err != nil {
			return nil, err
		}
	}
	turned, err := g.once(&pass{reverse: true})
	if err != nil {
		return nil, nil //nolint:nilerr // whatever it makes of the order, the other one is what is applied
	}
	d := differ{others: []*Result{turned}}
	d.compare(result)
	places := []Place{}
	if d.fault != nil {
		places = append(places, *d.fault)
	}
	for _, l := range d.leaves {
		if !slices.ContainsFunc(generated, func(g leaf) bool { return g.Place == l.Place }) {
			places = append(places, l.Place)
		}
	}
	for _, place := range places {
		remark := Remark{Path: g.from}
		var fault *Error
		if errors.As(first.blame(place, true), &fault) {
			remark.Path, remark.Line = fault.Path, fault.Line
		}
		remark.Text = fmt.Sprintf("what %s gets comes in the order of a map, which is another each time; here it is that of the keys. Sort it (sortAlpha)", place.Object)
		if !slices.Contains(all, remark) {
			all = append(all, remark)
		}
	}
	return all, nil
}
