package reconciler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/sluice-cd/sluice/reconciler/apply"
	"github.com/sluice-cd/sluice/reconciler/config"
	"github.com/sluice-cd/sluice/reconciler/sops"
)

// keyAge is the least time between two looks for keys that did not fit: somebody may have added the one that is missing.
const keyAge = 5 * time.Second

// keysAgain is when a release is looked at again whose Secrets do not open.
const keysAgain = 15 * time.Second

// decryptionKeys are the keys that permissions name. It may be used concurrently.
type decryptionKeys struct {
	read func(context.Context, config.Credentials) (map[string][]byte, error)

	mu    sync.Mutex
	known map[config.Credentials]ring
}

// ring is what one reference holds.
type ring struct {
	keys sops.Keys
	err  error
	at   time.Time // when it was read
}

func newDecryptionKeys(read func(context.Context, config.Credentials) (map[string][]byte, error)) *decryptionKeys {
	return &decryptionKeys{read: read, known: map[config.Credentials]ring{}}
}

// get reads keys, or has them from a while ago, shorter where those did not fit.
func (k *decryptionKeys) get(ref config.Credentials, misfit bool) (sops.Keys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	had := k.known[ref]
	lasts := credentialAge
	if misfit || had.err != nil {
		lasts = keyAge
	}
	if time.Since(had.at) < lasts {
		return had.keys, had.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), credentialTimeout)
	defer cancel()
	made := ring{at: time.Now()}
	values, err := k.read(ctx, ref)
	if err == nil {
		made.keys, err = sops.ParseKeys(sops.Material{
			Age: values[config.CredentialAge], PGP: values[config.CredentialPGP], Passphrase: values[config.CredentialPassphrase],
		})
	}
	if err != nil {
		made.err = fmt.Errorf("keys to decrypt it with: %w", err)
	}
	k.known[ref] = made
	return made.keys, made.err
}

// open returns a Secret as it was before SOPS encrypted it, for the moment that it is sent; any other object as it is.
// Nothing that is kept or shown has what it returns.
func (p *Pass) open(o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if !sops.Encrypted(o) {
		return o, nil
	}
	if p.Allowed == nil || p.Allowed.Decryption == nil {
		return nil, p.inFile(o, errors.New("it is encrypted, and agent.yaml gives this application no keys: name them at `decryption:` of its permission"))
	}
	made, err := p.agent.decryption.open(*p.Allowed.Decryption, o, false)
	if err != nil {
		made, err = p.agent.decryption.open(*p.Allowed.Decryption, o, true)
	}
	if err != nil {
		return nil, p.inFile(o, err)
	}
	return made, nil
}

func (k *decryptionKeys) open(ref config.Credentials, o *unstructured.Unstructured, misfit bool) (*unstructured.Unstructured, error) {
	keys, err := k.get(ref, misfit)
	if err != nil {
		return nil, err
	}
	return keys.Open(o)
}

// inFile names the file of an encrypted Secret, where it was rendered by this process.
func (p *Pass) inFile(o *unstructured.Unstructured, err error) error {
	name := renderedAs(o).GetName()
	if file := p.target.files[o.GetNamespace()+"/"+name]; file != "" {
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// unopened says of each encrypted Secret that does not open why. What was sent before is not asked again: a key that went
// takes nothing back.
func (p *Pass) unopened(objects []*unstructured.Unstructured) (faults []string) {
	if state := p.target.held.saved.State; state.Applied && state.Release.Same(p.Wanted.Release) {
		return nil
	}
	for _, o := range objects {
		if _, err := p.open(o); err != nil {
			faults = append(faults, fmt.Sprintf("%s: %v", apply.IDOf(o), err))
		}
	}
	if len(faults) == 0 { // the key may have come since they were rendered, and hooks show what they print before anything is sent
		p.hide(objects)
	}
	return faults
}

// hide has the values of Secrets masked wherever people look, those that are encrypted too. What cannot be opened is said
// when it is sent.
func (p *Pass) hide(objects []*unstructured.Unstructured) {
	t := p.target
	t.secrets = t.secrets.with(objects)
	var opened []*unstructured.Unstructured
	for _, o := range objects {
		if !sops.Encrypted(o) {
			continue
		}
		if made, err := p.open(o); err == nil {
			opened = append(opened, made)
		}
	}
	if len(opened) > 0 {
		t.secrets, t.opened = t.secrets.with(opened), secretsOf(opened)
	}
}

// filesOf are the files of encrypted Secrets, by namespace and name.
func filesOf(objects []*unstructured.Unstructured, file func(*unstructured.Unstructured) string) map[string]string {
	files := map[string]string{}
	for _, o := range objects {
		if sops.Encrypted(o) {
			files[o.GetNamespace()+"/"+o.GetName()] = file(o)
		}
	}
	return files
}
