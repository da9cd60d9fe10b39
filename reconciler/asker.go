package reconciler

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/record"
)

// podsPatience is how long a question waits for the names of pods. Where they cannot be had, there is no value.
const podsPatience = 30 * time.Second

// askers answers the questions of all targets until ctx ends, and wakes whose sample is there. It returns after the last
// one. What was not answered then is asked again by the next process.
func (a *Agent) askers(ctx context.Context) {
	var asking sync.WaitGroup
	for _, pr := range a.providers {
		for range perProvider {
			asking.Go(func() { a.answer(ctx, pr) })
		}
	}
	<-ctx.Done()
	for _, pr := range a.providers {
		pr.queue.ShutDown()
	}
	asking.Wait()
}

// answer takes questions from the queue of a provider, one at a time.
func (a *Agent) answer(ctx context.Context, pr *provider) {
	for {
		q, shutdown := pr.queue.Get()
		if shutdown {
			return
		}
		if ctx.Err() == nil {
			a.take(ctx, pr, q)
		}
		pr.queue.Done(q)
	}
}

// take takes a sample, or looks again later where a Job still runs.
func (a *Agent) take(ctx context.Context, pr *provider, q *question) {
	if q.isWithdrawn() {
		a.remove(ctx, q)
		return
	}
	at := a.now()
	if q.began.IsZero() {
		q.began = at
	}
	if q.of.Query != "" && at.Sub(q.began) < podsPatience {
		if _, _, known := q.pods(); !known { // an agent that has just begun knows no names yet
			pr.queue.AddAfter(q, time.Second)
			return
		}
	}
	r, running := a.read(ctx, pr, q)
	switch {
	case ctx.Err() != nil:
		return
	case running && at.Sub(q.began) < jobLimit:
		pr.queue.AddAfter(q, jobGlance)
		return
	case running:
		r = policies.Reading{Result: policies.Bad, Says: fmt.Sprintf("the Job did not end within %s", jobLimit)}
	}
	var pods []record.Pod
	if q.job != nil && r.Result == policies.Bad {
		pods = q.jobPods(ctx)
	}
	a.remove(ctx, q)
	r.Value, r.Stable, r.Says = q.secrets.mask(r.Value), q.secrets.mask(r.Stable), q.secrets.mask(r.Says)
	sample := q.analysis.Judge(r, q.began)
	q.target.charts(q, r, sample)
	if before := q.target.answered(q, sample, pods); sample.Result != before.Result || sample.Says != before.Says {
		a.tellSample(q, sample)
	}
	a.queue.Add(q.target.key)
}

// tellSample logs a sample that is another than the one before: as long as it has no value, nothing else says so.
func (a *Agent) tellSample(q *question, s policies.Sample) {
	log := a.log.With("app", q.target.key.Application, "env", q.target.key.Environment, "analysis", s.Analysis)
	switch s.Result {
	case policies.Good:
	case policies.Bad:
		log.Info("Analysis has a bad value", "reason", s.Says)
	default:
		log.Info("Analysis has no value", "reason", string(s.Result)+": "+s.Says)
	}
}

// read asks, and says whether there is no answer yet. A panic is an error of one sample.
func (a *Agent) read(ctx context.Context, pr *provider, q *question) (r policies.Reading, running bool) {
	defer func() {
		if cause := recover(); cause != nil {
			a.log.Error("Sample panicked", "app", q.target.key.Application, "env", q.target.key.Environment, "err", cause, "stack", string(debug.Stack()))
			r, running = policies.Reading{Result: policies.NoAnswer, Says: "the agent could not take it"}, false
		}
	}()
	if q.job == nil {
		return pr.read(ctx, q), false
	}
	answer, err := q.job.Ask(ctx)
	if q.job.Found {
		q.job.Found = false
		a.log.Info("Job of an analysis was found again", "app", q.target.key.Application, "env", q.target.key.Environment, "object", q.job.Name)
	}
	if err == nil && answer.Running {
		return policies.Reading{}, true
	}
	return pr.reading(answer, err), false
}

// remove deletes a Job that is of no use any more. One that cannot be deleted now goes by its own time to live.
func (a *Agent) remove(ctx context.Context, q *question) {
	if q.job == nil {
		return
	}
	if err := q.job.Remove(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("Job of an analysis was not deleted", "app", q.target.key.Application, "env", q.target.key.Environment, "err", err)
	}
}
