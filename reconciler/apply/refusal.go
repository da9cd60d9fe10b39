package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var (
	// untyped is how server-side apply says that a manifest does not fit the schema: as a fault of the server, 500.
	untyped = regexp.MustCompile(`failed to (?:create typed patch|convert new) object \([^)]*\)(?: to proper version)?: `)
	// mistyped is one field in such a message.
	mistyped = regexp.MustCompile(`(?:^|\s)\.(\S+): (field not declared in schema|expected \w+)`)
	// passing is what forbids something for a while only: a quota, a namespace or a definition that is going.
	passing = regexp.MustCompile(`exceeded quota|being terminated|is terminating`)
	// unauthorized is what the API server says of a right that is missing.
	unauthorized = regexp.MustCompile(`cannot ([\w:-]+) resource "([^"]+)" in API group "([^"]*)"(?: in the namespace "([^"]+)")?`)
)

// refusal turns the answer of the API server, or the lack of one, into an error of an object. The server quotes
// values; those of a Secret are left out.
func (c *Client) refusal(ctx context.Context, id ID, err error) *ObjectError {
	var already *ObjectError
	if errors.As(err, &already) {
		return already
	}
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		reason := err.Error()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			reason = fmt.Sprintf("the API server did not answer within %s", c.cluster.timeout)
		}
		return &ObjectError{ID: id, Reason: reason, Transient: !errors.Is(err, ErrServiceAccount)}
	}
	s := status.ErrStatus
	fields, reason := described(id, s)
	if unserved(s) {
		c.cluster.kinds.forget(id.groupKind())
		return &ObjectError{ID: id, Reason: "its kind is not served at the moment", Code: int(s.Code), Transient: true}
	}
	if s.Code == http.StatusForbidden {
		reason = c.denied(id, s.Message, reason)
	}
	return &ObjectError{ID: id, Fields: fields, Reason: reason, Code: int(s.Code), Transient: transient(s)}
}

// transient: conflicts, overload and faults of the server pass; a quota may too, since it is not the release's fault.
func transient(s metav1.Status) bool {
	switch s.Code {
	case http.StatusConflict, http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		return passing.MatchString(s.Message)
	case http.StatusUnprocessableEntity:
		return replaced(s)
	}
	return s.Code >= http.StatusInternalServerError && !untyped.MatchString(s.Message)
}

// unserved: there is no such resource, as when its definition was deleted, or is too new.
func unserved(s metav1.Status) bool {
	return s.Code == http.StatusNotFound && (s.Details == nil || s.Details.Kind == "")
}

// replaced: the object is not the one that was looked at, but another of the same name.
func replaced(s metav1.Status) bool {
	return s.Details != nil && slices.ContainsFunc(s.Details.Causes, func(c metav1.StatusCause) bool {
		return c.Field == "metadata.uid"
	})
}

// described returns the fields that the API server named, and what it said of them.
func described(id ID, s metav1.Status) (fields []string, reason string) {
	if replaced(s) {
		return nil, "it was made anew by somebody else meanwhile"
	}
	if untyped.MatchString(s.Message) {
		return describeUntyped(id, s.Message)
	}
	var said []string
	if s.Details != nil {
		for _, cause := range s.Details.Causes {
			if cause.Field == "" {
				continue
			}
			field := strings.TrimPrefix(cause.Field, ".")
			text := field + ": " + withoutDump(cause.Message)
			if id.secret() {
				text = field + ": " + masked(cause)
			}
			if !slices.Contains(said, text) {
				fields, said = append(fields, field), append(said, text)
			}
		}
	}
	switch {
	case len(said) > 0:
		return fields, strings.Join(said, "; ")
	case id.secret() && s.Code != http.StatusNotFound:
		return nil, fmt.Sprintf("the API server refused it (%d %s)", s.Code, s.Reason)
	}
	return nil, s.Message
}

// withoutDump leaves out whole objects that the API server quotes: a Job's pod template fills a screen.
func withoutDump(message string) string {
	const prefix = "Invalid value: "
	value, ok := strings.CutPrefix(message, prefix)
	if !ok || !strings.HasPrefix(value, "{") && !strings.HasPrefix(value, "[") {
		return message
	}
	decoder := json.NewDecoder(strings.NewReader(value))
	var quoted json.RawMessage
	if err := decoder.Decode(&quoted); err != nil {
		return message
	}
	return prefix + strings.TrimPrefix(value[decoder.InputOffset():], ": ")
}

// describeUntyped names each field that the schema does not know or that has another type.
func describeUntyped(id ID, message string) (fields []string, reason string) {
	var said []string
	for _, m := range mistyped.FindAllStringSubmatch(message, -1) {
		fields = append(fields, m[1])
		if m[2] == "field not declared in schema" {
			said = append(said, "unknown field "+m[1])
		} else {
			said = append(said, m[1]+": "+m[2])
		}
	}
	switch {
	case len(said) > 0:
		return fields, strings.Join(said, "; ")
	case id.secret() && strings.Contains(message, "illegal base64"):
		return []string{"data"}, "data: a value is not base64"
	case id.secret():
		return nil, "it does not fit the schema of a Secret"
	}
	return nil, untyped.ReplaceAllString(message, "")
}

// masked is the reason of a refusal without the value.
func masked(cause metav1.StatusCause) string {
	for _, known := range []string{"field is immutable", "Too long"} {
		if strings.Contains(cause.Message, known) {
			return known
		}
	}
	words := strings.TrimPrefix(string(cause.Type), "FieldValue")
	return map[string]string{
		"Required": "required value", "Invalid": "invalid value", "Forbidden": "forbidden",
		"NotSupported": "unsupported value", "Duplicate": "duplicate value", "NotFound": "not found", "TooLong": "too long",
	}[words]
}

// denied says which right is missing, and to whom.
func (c *Client) denied(id ID, message, reason string) string {
	m := unauthorized.FindStringSubmatch(message)
	if m == nil {
		if id.secret() {
			return "the API server forbids it"
		}
		return reason
	}
	resource := m[2]
	if m[3] != "" {
		resource += "." + m[3]
	}
	if m[4] != "" {
		resource += " in namespace " + m[4]
	}
	if strings.HasPrefix(m[1], "impersonate") { // "impersonate-on:serviceaccount:get" since Kubernetes 1.36
		return fmt.Sprintf("the agent may not impersonate service account %q", c.account)
	}
	who := fmt.Sprintf("service account %q", c.account)
	if c.account == "" {
		who = "the agent"
	}
	return fmt.Sprintf("%s may not %s %s", who, m[1], resource)
}
