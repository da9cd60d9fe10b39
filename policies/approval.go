package policies

// Awaited is the stage that a person's word is waited for, from 1; 0: none.
func (s State) Awaited() int {
	if s.Phase == Holding && s.Form == Held {
		return s.Stage + 1
	}
	return 0
}
