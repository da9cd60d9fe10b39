package reconciler

import (
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
	"github.com/sluice-cd/sluice/render"
)

// Key names what is reconciled: one application in one environment. It is never reconciled twice at once.
type Key struct {
	Application string `json:"application"`
	Environment string `json:"environment"`
}

func (k Key) String() string { return k.Application + "/" + k.Environment }

// savedVersion is written into each saved state; an agent refuses a newer one, lest it lose what it does not know.
const savedVersion = 1

// Saved is all that outlives the process for one key. It lies in a Secret of the target cluster, is written
// before the effects it announces, and can be lost: Git notes and owner labels are enough to make it again.
type Saved struct {
	Version int `json:"version"`
	Key
	Agent string `json:"agent"`
	// Repository is the URL that the application came from.
	Repository string `json:"repository"`
	// Cluster is the UID of the cluster: state that was copied to another one does not count.
	Cluster string `json:"cluster"`
	// Rules is the revision whose rules are in force.
	Rules string         `json:"rules,omitempty"`
	State policies.State `json:"state"`
	// Stages is how many there are while a release is staged, and Due when time alone lets it go on or fail, by the rules in
	// force. They are for people who watch: no pass reads them.
	Stages    int             `json:"stages,omitempty"`
	Due       time.Time       `json:"due,omitzero"`
	Inventory apply.Inventory `json:"inventory,omitempty"`
	// Hooks are the objects of hooks that are there, or may be: of the release in the state, and of those before it.
	Hooks []hookRun    `json:"hooks,omitempty"`
	Chain record.Chain `json:"chain,omitzero"`
	// Outbox holds lines that Git does not have yet, and the closing lines of the last releases.
	Outbox record.Outbox `json:"outbox,omitzero"`
	// Untold is what Git is to be told of the state, where the lines could not be made before it was saved.
	Untold []policies.Record `json:"untold,omitempty"`
	// Told is a person's word to go back, which holds until Git brings something new.
	Told *told `json:"told,omitempty"`
	// Fired is what became of the last firing of the promotion's schedule.
	Fired policies.Firing `json:"fired,omitzero"`
	// Generated are the values that charts made by chance or by the clock, of this release and of earlier ones.
	Generated []render.Generated `json:"generated,omitempty"`
	// Active and Proven name the Secrets with the manifests of the release in the state and of the proven one.
	Active []string `json:"active,omitempty"`
	Proven []string `json:"proven,omitempty"`
}

// ReadState reads the state in a Secret, whichever agent's it is. It is for those who only look.
func ReadState(secret *corev1.Secret) (Saved, error) {
	var saved Saved
	text, err := unpack(secret.Data["state"])
	if err == nil {
		err = json.Unmarshal(text, &saved)
	}
	if err != nil {
		return Saved{}, fmt.Errorf("read state in Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return saved, nil
}
