package worker

import (
	"fmt"
	"time"
)

// watch looks after a process until its render is done: whether it has too much, whether it takes too long, and whether
// others should wait for it any longer.
func (p *Pool) watch(w *process, done <-chan struct{}) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			w.resident.Store(0)
			return
		case <-ticker.C:
		}
		has, took := w.has.resident(), time.Since(w.began)
		w.resident.Store(has)
		switch {
		case has > p.config.Memory:
			w.end(&LostError{fmt.Sprintf("%s: %d MiB", errMemory, p.config.Memory>>20)})
		case took > p.config.Time:
			w.end(&LostError{fmt.Sprintf("it took longer than %s", p.config.Time)})
		case took > turn:
			p.standAside(w)
		}
	}
}

// standAside lets others begin while a slow render goes on with the least priority. All slow ones together may have what
// the quick ones may; when they have more, the largest goes.
func (p *Pool) standAside(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.slow {
		if p.slow >= slowEach*p.config.Processes || !p.running[w] {
			return
		}
		w.slow = true
		p.slow++
		lower(w.cmd.Process.Pid)
		<-p.turns
	}
	var all int64
	largest := w
	for other := range p.running {
		if !other.slow {
			continue
		}
		all += other.resident.Load()
		if other.resident.Load() > largest.resident.Load() {
			largest = other
		}
	}
	if all > p.config.Memory*int64(p.config.Processes) {
		largest.end(&LostError{fmt.Sprintf("%s: %d MiB with other slow ones", errMemory, p.config.Memory>>20*int64(p.config.Processes))})
	}
}
