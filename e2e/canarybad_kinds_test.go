package e2e

import (
	"fmt"

	"github.com/sluice-cd/sluice/e2e/world"
)

// latencyRatio tells what is slow by the proven pods, whatever is slow today.
const latencyRatio = `{name: latency, provider: prometheus, max: 1.5, compare: ratio, interval: 1s, errors: 20,
        query: 'avg(shop_latency_seconds{pod=~"{{.Canary}}"})'}`

// secretWord is a Secret whose value, listening, pods say.
const secretWord = "apiVersion: v1\nkind: Secret\nmetadata: {name: word}\ndata: {word: bGlzdGVuaW5n}\n"

// badRelease is a release of one kind of fault. Its image's tag is the environment's name, unless it has one.
type badRelease struct {
	tag, annotations, spec string        // of the Deployment
	analysis               string        // nothing is measured without one
	serves                 world.Service // how its pods do
	says                   []string      // why it is taken back
	words                  bool          // its pods had something to say before
}

// badReleases are all kinds of faults that a stage shows.
func badReleases() map[string]badRelease {
	return map[string]badRelease{
		"crash-loop": {annotations: "dev.sluice/fail: crash-loop", words: true,
			says: []string{"stage 1: ", `container \"web\" ends with exit code 1`}},
		"never-ready": {annotations: "dev.sluice/fail: never-ready", spec: "\n  progressDeadlineSeconds: 5", words: true,
			says: []string{"stage 1: ", "0 of 1 new pods are Ready after 5s", "readiness probe failed"}},
		"image-missing": {tag: "missing",
			says: []string{"stage 1: ", imageName + "missing", "does not exist"}},
		"readiness-lost": {annotations: "dev.sluice/fail: lost, dev.sluice/delay: 2s", words: true,
			says: []string{"stage 1: ", "0 of 1 new pods are Ready after 30s", "readiness probe failed"}},
		"error-rate": {analysis: fmt.Sprintf(errorRate, "failures: 2, errors: 20"), serves: world.Service{Errors: 0.25},
			says: []string{"stage 1: analysis errors: 0.25 is above 0.01, 2 bad of", `"measured":[{"analysis":"errors"`}},
		"latency": {analysis: latencyRatio, serves: world.Service{Latency: 0.5},
			says: []string{"stage 1: analysis latency: ratio 2 (0.5 against 0.25 of the stable pods) is above 1.5"}},
		"no-data": {analysis: fmt.Sprintf(errorRate, "errors: 4"), serves: world.Service{Silent: true},
			says: []string{"inconclusive: stage 1: analysis errors: no data: the query gives no series, 4 samples in a row"}},
	}
}
