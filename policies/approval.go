package policies

// Awaited is the stage that a person's word is waited for, from 1; 0: none.
func (s State) Awaited() int {
	if s.Phase == Holding && s.Form == Held && s.Split.Waits.IsZero() && !s.Closed { // it waits for no route and no window
		return s.Stage + 1
	}
	return 0
}

// At is the stage that the release is in, from 1, one more than there are while it finishes; 0: it is in none, or on the way
// back.
func (s State) At() int {
	if s.Back || s.Phase.Closing() {
		return 0
	}
	return s.Stage
}
