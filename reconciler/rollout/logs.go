package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// LastWords returns the last lines that a container wrote: before it ended where it did, else so far.
type LastWords func(ctx context.Context, namespace, pod, container string, ended bool) ([]string, error)

// How much of a log is read. A line that was cut is left out: only a whole one can be masked.
const (
	lastLines = int64(5)
	lastBytes = int64(16 << 10)
)

// Logs reads last words from the API server as the given identity. They are as the container wrote them: whoever shows
// them masks them first.
func Logs(config *rest.Config) (LastWords, error) {
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, namespace, pod, container string, ended bool) ([]string, error) {
		lines, limit := lastLines, lastBytes
		raw, err := c.core.Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: container, Previous: ended, TailLines: &lines, LimitBytes: &limit,
		}).DoRaw(ctx)
		if err != nil {
			return nil, fmt.Errorf("read log of container %q in pod %q: %w", container, namespace+"/"+pod, err)
		}
		return linesOf(raw), nil
	}, nil
}

// linesOf are the whole lines of a log that have any text.
func linesOf(raw []byte) []string {
	text := strings.ToValidUTF8(string(raw), "")
	if int64(len(raw)) >= lastBytes {
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	lines := strings.Split(text, "\n")
	return slices.DeleteFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "" })
}

// Speaks reports whether the finding is about a container that ran, and so may have said something.
func (f Finding) Speaks() bool {
	return f.Container != "" && slices.Contains([]FindingKind{CrashLoop, OOMKilled, ProbeFailing, NotReady}, f.Kind)
}

// Explain adds to each finding about a container that ran what that said last. A log that cannot be read adds nothing.
// Each costs one request, or a second one where the first has no answer; all are made at once.
func Explain(ctx context.Context, findings []Finding, words LastWords) []Finding {
	explained := slices.Clone(findings)
	var asked sync.WaitGroup
	for i := range explained {
		f := &explained[i]
		if !f.Speaks() {
			continue
		}
		asked.Go(func() {
			ended := f.Kind == CrashLoop || f.Kind == OOMKilled
			said, err := words(ctx, f.Object.Namespace, f.Object.Name, f.Container, ended)
			if err != nil && ended { // it was not started again, as in a Job: then its log is still the present one
				said, err = words(ctx, f.Object.Namespace, f.Object.Name, f.Container, false)
			}
			if err == nil {
				f.LastLines = said
			}
		})
	}
	asked.Wait()
	return explained
}
