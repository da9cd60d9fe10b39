package rollout

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
)

// LastWords returns the last lines that a container wrote before it ended, or an empty string.
type LastWords func(ctx context.Context, namespace, pod, container string) (string, error)

// Logs reads last words from the API server as the given identity: five lines and four KiB at most. They are as
// the container wrote them: whoever shows them masks them first.
func Logs(config *rest.Config) (LastWords, error) {
	c, err := newClient(config)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, namespace, pod, container string) (string, error) {
		lines, limit := int64(5), int64(4096)
		raw, err := c.core.Pods(namespace).GetLogs(pod, &corev1.PodLogOptions{
			Container: container, Previous: true, TailLines: &lines, LimitBytes: &limit,
		}).DoRaw(ctx)
		if err != nil {
			return "", fmt.Errorf("read log of container %q in pod %q: %w", container, namespace+"/"+pod, err)
		}
		return strings.TrimSpace(strings.ToValidUTF8(string(raw), "")), nil
	}, nil
}

// Explain adds to each crash what its container last said, on lines of their own. A log that cannot be read adds
// nothing. Each finding about a crash costs one request.
func Explain(ctx context.Context, findings []Finding, words LastWords) []Finding {
	explained := make([]Finding, 0, len(findings))
	for _, f := range findings {
		if f.Kind == CrashLoop && f.Container != "" {
			if said, err := words(ctx, f.Object.Namespace, f.Object.Name, f.Container); err == nil && said != "" {
				f.Message += "; its last words:\n" + said
			}
		}
		explained = append(explained, f)
	}
	return explained
}
