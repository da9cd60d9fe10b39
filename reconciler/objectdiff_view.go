package reconciler

import (
	"slices"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// View is the diff as it is shown: each object once, with why its pods would be replaced.
func (d ObjectDiff) View(from, to view.Side) view.Diff {
	made := view.Diff{From: from, To: to, Created: shownObjects(d.Created), Changed: shownObjects(d.Changed), Deleted: shownObjects(d.Deleted)}
	say := func(of DiffObject, tell func(*view.DiffObject)) {
		i := slices.IndexFunc(made.Changed, func(o view.DiffObject) bool { return o.Object == oneLine(of.Object) })
		if i < 0 { // it stays as it is, and what its pods read changes
			i = len(made.Changed)
			made.Changed = append(made.Changed, view.DiffObject{Object: oneLine(of.Object)})
		}
		tell(&made.Changed[i])
	}
	for _, restarts := range d.Restarts {
		say(restarts, func(o *view.DiffObject) { o.Restarts = oneLine(restarts.Reason) })
	}
	for _, stale := range d.Stale {
		say(stale, func(o *view.DiffObject) {
			o.Lines = append(o.Lines, "  running pods keep what they read before: "+oneLine(stale.Reason))
		})
	}
	slices.SortFunc(made.Changed, func(a, b view.DiffObject) int { return strings.Compare(a.Object, b.Object) })
	return made
}

func shownObjects(objects []DiffObject) (shown []view.DiffObject) {
	for _, o := range objects {
		made := view.DiffObject{Object: oneLine(o.Object)}
		if o.Reason != "" {
			made.Lines = append(made.Lines, "  "+oneLine(o.Reason))
		}
		for _, f := range o.Fields {
			for _, line := range f.lines() {
				// The mark goes first, and once: lines of a text have it within, where people read them in a terminal.
				text := strings.TrimPrefix(line.Text, "    ")
				text = strings.Replace(text, "  "+string(line.Mark)+" ", "  ", 1)
				made.Lines = append(made.Lines, string(line.Mark)+" "+text)
			}
		}
		shown = append(shown, made)
	}
	return shown
}
