package reconciler

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	typed "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/sluice-cd/sluice/policies"
	"github.com/sluice-cd/sluice/reconciler/apply"
)

var namespaces atomic.Int64

// newNamespace makes a namespace of the API server for one test.
func newNamespace(t *testing.T) (string, *typed.CoreV1Client) {
	t.Helper()
	core, err := typed.NewForConfig(server)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test-%d", namespaces.Add(1))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := core.Namespaces().Create(t.Context(), ns, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return name, core
}

func newStore(t *testing.T) *store {
	t.Helper()
	name, core := newNamespace(t)
	return &store{secrets: core.Secrets(name), namespace: name, agent: "eu-1", cluster: "uid-1"}
}

var shop = Key{"shop", "staging"}

func saved(s *store, phase policies.Phase) Saved {
	return Saved{
		Version: savedVersion, Key: shop, Agent: s.agent, Cluster: s.cluster, Rules: strings.Repeat("a", 40),
		State:     policies.State{Phase: phase, Release: policies.Release{Digest: "d"}},
		Inventory: apply.Inventory{{ID: apply.ID{Kind: "ConfigMap", Namespace: "shop", Name: "web"}, UID: "u"}},
	}
}

func TestStateSurvivesItsSecret(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	h := held{saved: saved(s, policies.Healthy)}
	if err := s.save(ctx, &h); err != nil {
		t.Fatal(err)
	}
	version := h.resourceVersion
	again, err := s.load(ctx, shop)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h.saved, again.saved); diff != "" {
		t.Errorf("(-saved +loaded):\n%s", diff)
	}
	if err := s.save(ctx, &again); err != nil || again.resourceVersion != version {
		t.Errorf("unchanged state was written: %v, version %s, before %s", err, again.resourceVersion, version)
	}
	all, err := s.all(ctx)
	if diff := cmp.Diff(h.saved, all[shop].saved); err != nil || diff != "" {
		t.Errorf("%v, (-saved +listed):\n%s", err, diff)
	}
}

func TestSaveMeetsOthers(t *testing.T) {
	cases := map[string]struct {
		reason string
		other  func(ctx context.Context, s *store) error // does something after the state was read
		want   func(error) bool
		says   string
	}{
		"SomebodyAskedForAPass": {
			"an annotation is no other state",
			func(ctx context.Context, s *store) error {
				patch := `{"metadata":{"annotations":{"` + ReconcileAnnotation + `":"now"}}}`
				_, err := s.secrets.Patch(ctx, StateName(shop), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
				return err
			},
			func(err error) bool { return err == nil }, "",
		},
		"AnotherStateWasWritten": {
			"two processes at work: the older look must not win",
			func(ctx context.Context, s *store) error {
				h, err := s.load(ctx, shop)
				if err == nil {
					h.saved.State.Phase = policies.Failed
					err = s.save(ctx, &h)
				}
				return err
			},
			apierrors.IsConflict, "",
		},
		"AnotherAgentTookIt": {
			"they must not fight",
			func(ctx context.Context, s *store) error {
				patch := `{"metadata":{"labels":{"` + stateAgent + `":"us-1"}}}`
				_, err := s.secrets.Patch(ctx, StateName(shop), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
				return err
			},
			func(err error) bool { return errors.Is(err, errForeignState) }, "us-1",
		},
		"ItWasDeleted": {
			"what is remembered is all that is left of it",
			func(ctx context.Context, s *store) error {
				return s.secrets.Delete(ctx, StateName(shop), metav1.DeleteOptions{})
			},
			func(err error) bool { return err == nil }, "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ctx := newStore(t), t.Context()
			h := held{saved: saved(s, policies.Progressing)}
			if err := s.save(ctx, &h); err != nil {
				t.Fatal(err)
			}
			if err := tc.other(ctx, s); err != nil {
				t.Fatal(err)
			}
			h.saved.State.Phase = policies.Healthy
			err := s.save(ctx, &h)
			if !tc.want(err) || err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("%s: got %v", tc.reason, err)
			}
			live, loadErr := s.load(ctx, shop)
			if err == nil && (loadErr != nil || live.saved.State.Phase != policies.Healthy || live.resourceVersion != h.resourceVersion) {
				t.Errorf("%s: %v, saved is %+v", tc.reason, loadErr, live.saved.State)
			}
		})
	}
}

func TestLoadJudgesWhatItFinds(t *testing.T) {
	secret := func(s *store, agent string, data []byte) *corev1.Secret {
		made := s.secret(StateName(shop), "state", shop)
		made.Labels[stateAgent], made.Data = agent, map[string][]byte{"state": data}
		return made
	}
	packed := func(t *testing.T, v Saved) []byte {
		data, err := new(packer).encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	cases := map[string]struct {
		reason  string
		make    func(t *testing.T, s *store) *corev1.Secret // nil: there is none
		version int
		fault   bool
		err     error
		says    string
	}{
		"None": {"nothing was ever saved", nil, 0, false, nil, ""},
		"AnotherAgents": {"two agents serve one environment by mistake: both are named",
			func(t *testing.T, s *store) *corev1.Secret {
				return secret(s, "us-1", packed(t, saved(s, policies.Healthy)))
			},
			0, false, errForeignState, `"us-1"`},
		"AnotherClusters": {"it was copied from there, and its UIDs are not this one's",
			func(t *testing.T, s *store) *corev1.Secret {
				v := saved(s, policies.Healthy)
				v.Cluster = "uid-2"
				return secret(s, s.agent, packed(t, v))
			}, 0, false, nil, ""},
		"Lesson12_Spoilt": {"it can be lost, so it is made anew",
			func(_ *testing.T, s *store) *corev1.Secret { return secret(s, s.agent, []byte("no state")) },
			0, true, nil, ""},
		"ANewerVersion": {"what is not known must not be lost",
			func(t *testing.T, s *store) *corev1.Secret {
				v := saved(s, policies.Healthy)
				v.Version = savedVersion + 1
				return secret(s, s.agent, packed(t, v))
			}, 0, false, nil, "newer agent"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ctx := newStore(t), t.Context()
			if tc.make != nil {
				if _, err := s.secrets.Create(ctx, tc.make(t, s), metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			h, err := s.load(ctx, shop)
			if wants := tc.err != nil || tc.says != ""; (err != nil) != wants || !errors.Is(err, tc.err) && tc.err != nil ||
				err != nil && !strings.Contains(err.Error(), tc.says) {
				t.Fatalf("%s: got %v", tc.reason, err)
			}
			if h.saved.Version != tc.version || (h.fault != nil) != tc.fault {
				t.Errorf("%s: version %d, fault %v", tc.reason, h.saved.Version, h.fault)
			}
			if err != nil || tc.make == nil {
				return
			}
			h.saved = saved(s, policies.Healthy)
			if err := s.save(ctx, &h); err != nil {
				t.Errorf("%s: it cannot be overwritten: %v", tc.reason, err)
			}
		})
	}
}

// TestLesson12_OneBadStateStopsNobody: the states of all others are read.
func TestLesson12_OneBadStateStopsNobody(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	h := held{saved: saved(s, policies.Healthy)}
	if err := s.save(ctx, &h); err != nil {
		t.Fatal(err)
	}
	newer := Key{"newer", "staging"}
	data, err := new(packer).encode(Saved{Version: savedVersion + 1, Key: newer})
	if err != nil {
		t.Fatal(err)
	}
	bad := s.secret(StateName(newer), "state", newer)
	bad.Data = map[string][]byte{"state": data}
	if _, err := s.secrets.Create(ctx, bad, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	all, err := s.all(ctx)
	if err != nil || len(all) != 1 || all[shop].saved.State.Phase != policies.Healthy {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestManifestsAreSavedInParts(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	var objects []*unstructured.Unstructured
	for i := range 3 { // random text does not compress: more than one Secret holds
		text := make([]byte, 400<<10)
		_, _ = rand.Read(text)
		objects = append(objects, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": fmt.Sprint("big-", i)},
			"data": map[string]any{"text": hex.EncodeToString(text)},
		}})
	}
	names, err := s.saveManifests(ctx, shop, "0123456789abcdef", objects, false)
	if err != nil || len(names) < 2 {
		t.Fatalf("got %v, %v", names, err)
	}
	again, err := s.saveManifests(ctx, shop, "0123456789abcdef", objects, true)
	if diff := cmp.Diff(names, again); err != nil || diff != "" {
		t.Errorf("a second try: %v, %s", err, diff)
	}
	got, err := s.manifests(ctx, names)
	if diff := cmp.Diff(objects, got); err != nil || diff != "" {
		t.Errorf("%v, what came back differs", err)
	}
	if _, err := s.manifests(ctx, names[:1]); err == nil {
		t.Error("half of the manifests were taken for all")
	}
	objects[0].SetAnnotations(map[string]string{"made": "by chance"})
	if _, err := s.saveManifests(ctx, shop, "0123456789abcdef", objects, true); err != nil {
		t.Error(err)
	}
	got, err = s.manifests(ctx, names)
	if diff := cmp.Diff(objects, got); err != nil || diff != "" {
		t.Errorf("%v, values that were made anew are not saved", err)
	}
}

func TestOrphans(t *testing.T) {
	meta := func(name string, k Key) metav1.PartialObjectMetadata {
		return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			stateApplication: k.Application, stateEnvironment: k.Environment}}}
	}
	states := map[Key]held{
		shop:              {saved: Saved{Active: []string{"active"}, Proven: []string{"proven"}}},
		{"store", "live"}: {saved: Saved{Active: []string{"inherited"}}},
	}
	got := orphans([]metav1.PartialObjectMetadata{
		meta("active", shop), meta("proven", shop), meta("left", shop),
		meta("inherited", shop),              // by a key that has another name now
		meta("unread", Key{"newer", "live"}), // its state is there and could not be read
	}, states)
	if diff := cmp.Diff([]string{"left"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEncode(t *testing.T) {
	v := Saved{Key: shop, Version: 1}
	for i := range 2000 {
		v.Inventory = append(v.Inventory, apply.Entry{ID: apply.ID{Kind: "ConfigMap", Namespace: "shop", Name: fmt.Sprint("part-", i)},
			UID: fmt.Sprintf("%032x", i), Hash: fmt.Sprintf("%032x", i*7), Manifest: fmt.Sprintf("%032x", i*13)})
	}
	a, err := new(packer).encode(v)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := new(packer).encode(v)
	if !bytes.Equal(a, b) {
		t.Error("the same state is written in two ways: every pass would save it")
	}
	if len(a) > 500<<10 {
		t.Errorf("2000 objects take %d bytes of a Secret's 1 MiB", len(a))
	}
	var back Saved
	if err := decode(a, &back); err != nil || len(back.Inventory) != 2000 {
		t.Errorf("got %d objects, %v", len(back.Inventory), err)
	}
	for name, data := range map[string][]byte{"Empty": nil, "NoGzip": []byte("{}"), "Cut": a[:len(a)/2]} {
		if err := decode(data, &back); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}
