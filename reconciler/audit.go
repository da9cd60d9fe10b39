package reconciler

import "time"

// verifyDue reports whether every object is to be compared now: a person asked, or the audit is due.
func (p *Pass) verifyDue() bool {
	t := p.target
	t.mu.Lock()
	asked := t.verify
	t.mu.Unlock()
	return asked || p.Seen.Now.Sub(t.audited) >= p.agent.config.Audit.Std()
}

// verified notes that a comparison that was due is done, or has no use.
func (p *Pass) verified() {
	if !p.Verify {
		return
	}
	t := p.target
	t.audited = p.Seen.Now
	t.mu.Lock()
	t.verify = false
	t.mu.Unlock()
}

// untilAudit is the time until the next audit. One that is due and could not be made now is made by a pass that something
// else wakes, within a minute where nothing does.
func (p *Pass) untilAudit() time.Duration {
	wait := p.agent.config.Audit.Std() - p.Seen.Now.Sub(p.target.audited)
	if wait <= 0 {
		return time.Minute
	}
	return wait
}
