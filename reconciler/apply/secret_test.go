package apply

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"
)

func TestLesson36_NoValueOfASecretIsEverTold(t *testing.T) {
	cases := map[string]struct {
		reason, doc, want string
	}{
		"Key":        {"the server quotes a bad key", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, stringData: {"bad key": hunter2}}`, "data[bad key]: invalid value"},
		"Number":     {"the server quotes a value of another type", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, data: {pin: 73131}}`, "data.pin: expected string"},
		"Plain":      {"so do we, were we not careful", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, stringData: {pin: 73131}}`, "stringData.pin: must be a string"},
		"Map":        {"the server quotes what should be a map", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, data: hunter2}`, "data: expected map"},
		"StringData": {"so do we, were we not careful", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, stringData: [hunter2]}`, "stringData: must be a map"},
		"Base64":     {"the server tells where it is not base64", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, data: {a: "hunter2!"}}`, "data: a value is not base64"},
		"Unknown":    {"a field that is none", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, dta: {a: hunter2}}`, "unknown field dta"},
		"Type":       {"a type's own rule", `{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: NS}, type: kubernetes.io/dockerconfigjson, stringData: {.dockerconfigjson: hunter2}}`, "data[.dockerconfigjson]: invalid value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			f := setUp(t)
			_, err := f.client.Plan(f.Context(), f.request(tc.doc))
			if want := "Secret/" + f.ns + "/s: " + tc.want; err == nil || err.Error() != want || !Final(err) {
				t.Errorf("%s: error %v; want %s", tc.reason, err, want)
			}
			printed, _ := json.Marshal(err)
			f.silent(fmt.Sprintf("%v %+v %#v %s", err, err, err, printed))
		})
	}
}

func (f *fixture) silent(text string) {
	f.Helper()
	for _, value := range []string{"hunter2", "aHVudGVyMg", "73131"} {
		if strings.Contains(text, value) {
			f.Errorf("it tells %q: %s", value, text)
		}
	}
}

func TestLesson36_ImmutableSecret(t *testing.T) {
	f := setUp(t)
	doc := secret + "\nimmutable: true"
	first := f.apply(f.request(doc))
	req := f.request(strings.ReplaceAll(doc, "hunter2", "hunter22"))
	req.Inventory = first.Entries
	_, err := f.client.Plan(f.Context(), req)
	if err == nil || !strings.Contains(err.Error(), "data: field is immutable") {
		t.Errorf("error %v; want that data is immutable", err)
	}
	f.silent(fmt.Sprintf("%+v", err))
}

func TestLesson30_SecretsAreAppliedAsTheyAre(t *testing.T) {
	f := setUp(t)
	id := f.id("Secret", "password")
	req := f.request(secret)
	plan := f.plan(req)
	first := must(f.client.Apply(f.Context(), plan))(t)
	want := map[string]any{"password": "aHVudGVyMg==", "user": "YWRtaW4="}
	if diff := cmp.Diff(want, nested(f.live(id), "data")); diff != "" {
		t.Errorf("data: -want +got\n%s", diff)
	}
	if _, ok := req.Objects[0].Object["stringData"]; !ok {
		t.Error("the manifest given was changed")
	}
	second := f.again(first, strings.ReplaceAll(secret, "hunter2", "hunter22"))
	wantChanges := []Change{{ID: id, Action: Configured, Fields: []string{"data.password"}}}
	if diff := cmp.Diff(wantChanges, second.Changes); diff != "" {
		t.Errorf("changes: -want +got\n%s", diff)
	}
	saved, _ := json.Marshal(second.Entries)
	f.silent(fmt.Sprintf("%s %+v %+v %+v", saved, plan.Changes, first.Changes, second.Changes))
}

func TestLesson36_WebhookThatQuotesTheValue(t *testing.T) {
	for code, reason := range map[int]string{403: "Forbidden", 400: "BadRequest", 500: "InternalError", 422: "Invalid"} {
		f := &fixture{T: t, ns: "a"}
		c := &Client{cluster: &Cluster{}, account: "a/b"}
		status := &apierrors.StatusError{ErrStatus: metav1.Status{Code: int32(code), Reason: metav1.StatusReason(reason), Message: `admission webhook "x" denied the request: hunter2 is weak`}}
		refused := c.refusal(t.Context(), f.id("Secret", "s"), status)
		if refused.Reason == "" || refused.Code != code {
			t.Errorf("%+v; want a reason and %d", refused, code)
		}
		f.silent(fmt.Sprintf("%+v", refused))
		if other := c.refusal(t.Context(), f.id("ConfigMap", "s"), status); !strings.Contains(other.Reason, "hunter2 is weak") {
			t.Errorf("of another kind it does not say what the webhook said: %+v", other)
		}
	}
}
