package policies

// LargePrune reports whether so many of the objects that are owned would be pruned that a person has to say so: more than
// one, and more than limit per cent.
func LargePrune(stale, owned, limit int) bool { return stale > 1 && stale*100 > limit*owned }
