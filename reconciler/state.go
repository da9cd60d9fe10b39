package reconciler

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/record"
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
	Rules     string          `json:"rules,omitempty"`
	State     policies.State  `json:"state"`
	Inventory apply.Inventory `json:"inventory,omitempty"`
	Chain     record.Chain    `json:"chain,omitzero"`
	// Outbox holds lines that Git does not have yet, and the closing lines of the last releases.
	Outbox record.Outbox `json:"outbox,omitzero"`
	// Active and Proven name the Secrets with the manifests of the release in the state and of the proven one.
	Active []string `json:"active,omitempty"`
	Proven []string `json:"proven,omitempty"`
}

// encode returns v as compressed JSON: 2000 objects in an inventory are 600 kB plain, and a Secret holds 1 MiB.
func encode(v any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	if err := json.NewEncoder(zip).Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return out.Bytes(), nil
}

// decode reads what encode wrote, up to 64 MiB.
func decode(data []byte, v any) error {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := json.NewDecoder(io.LimitReader(zip, 64<<20)).Decode(v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}
