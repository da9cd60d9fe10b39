package reconciler

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/sluice-cd/sluice/reconciler/record"
)

// The lease: client-go's own arithmetic for controllers. A lost agent is replaced after 15 s.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 2 * time.Second
)

// errLeaseLost: another process of the same name may be at work, so this one must not go on.
var errLeaseLost = errors.New("lease was lost")

// lead runs do while the agent holds its lease in the cluster, and waits for the lease before. A process that was
// killed and started again with the same identity has it at once. The context of do ends with the lease; the lease ends
// after the last pass.
func (s *site) lead(ctx context.Context, do func(context.Context) error) error {
	started := make(chan context.Context, 1)
	elector, err := s.elector(func(leading context.Context) { started <- leading })
	if err != nil {
		return err
	}
	electing, release := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer release()
	ended := make(chan struct{})
	running.Go(func() { defer close(ended); elector.Run(electing) })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-ended:
		return s.lost()
	case leading := <-started:
		working, stop := context.WithCancel(ctx)
		defer stop()
		defer context.AfterFunc(leading, stop)()
		err := do(working)
		if ctx.Err() != nil {
			<-s.agent.idle // nobody else may begin before
			return ctx.Err()
		}
		if leading.Err() != nil {
			return s.lost()
		}
		return err
	}
}

func (s *site) lost() error {
	return fmt.Errorf("%w in namespace %q", errLeaseLost, s.agent.config.StateNamespace)
}

func (s *site) elector(started func(context.Context)) (*leaderelection.LeaderElector, error) {
	leases, err := coordination.NewForConfig(s.rest)
	if err != nil {
		return nil, err
	}
	return leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: &resourcelock.LeaseLock{
			LeaseMeta:  metav1.ObjectMeta{Namespace: s.agent.config.StateNamespace, Name: "sluice-agent-" + s.agent.name},
			Client:     leases,
			LockConfig: resourcelock.ResourceLockConfig{Identity: s.agent.identity},
		},
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		ReleaseOnCancel: true, Name: "sluice",
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: started,
			OnStoppedLeading: func() {},
			OnNewLeader: func(identity string) {
				if identity != s.agent.identity {
					s.log.Warn("Another process of this name holds the lease; waiting for it", "holder", identity)
				}
			},
		},
	})
}

// signingKey reads the agent's key, or makes it at the first start. Replicas share it.
func signingKey(ctx context.Context, secrets typed.SecretInterface, agent string) (*record.Signer, error) {
	name := "sluice-agent-" + agent + "-key"
	secret, err := secrets.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		secret, err = makeKey(ctx, secrets, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read signing key in Secret %q: %w", name, err)
	}
	return record.ParseSigner(secret.Data["ed25519.pem"])
}

func makeKey(ctx context.Context, secrets typed.SecretInterface, name string) (*corev1.Secret, error) {
	signer, err := record.NewKey()
	if err != nil {
		return nil, err
	}
	text, err := signer.PEM()
	if err != nil {
		return nil, err
	}
	fresh := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string][]byte{
		"ed25519.pem": text, "public": []byte(signer.Public().String()),
	}}
	made, err := secrets.Create(ctx, fresh, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return secrets.Get(ctx, name, metav1.GetOptions{})
	}
	return made, err
}

// hashKey keys the hashes of Secrets in the inventory, so that a guess at a value cannot be tried against them.
func hashKey(signer *record.Signer) []byte { return derived(signer, "sluice inventory") }

// renderKey keys what renders came to, which lies on a disk, while the key is in the cluster.
func renderKey(signer *record.Signer) []byte { return derived(signer, "sluice renders") }

// derived makes a key for one use out of the agent's own.
func derived(signer *record.Signer, use string) []byte {
	text, err := signer.PEM()
	if err != nil {
		panic(err) // a key that was just read can be written
	}
	key, err := hkdf.Key(sha256.New, text, nil, use, 32)
	if err != nil {
		panic(err) // only an impossible length fails
	}
	return key
}

// Identity returns what tells two processes of one name apart: made once, and kept in the data folder, so that a
// process that was killed has its lease back at once.
func Identity(dataDir string) (string, error) {
	file := filepath.Join(dataDir, "identity")
	if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
		return string(text), nil
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	identity := host + "-" + hex.EncodeToString(random[:])
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	if err := os.WriteFile(file, []byte(identity), 0o600); err != nil {
		return "", fmt.Errorf("make identity: %w", err)
	}
	return identity, nil
}
