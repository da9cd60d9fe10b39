package rollout

import (
	"regexp"
	"strconv"
	"strings"
)

// What kubelet, runtime, registry and API server say, made into something that a developer understands.

// longest is how many bytes of a foreign message are kept.
const longest = 300

var (
	pulling = regexp.MustCompile(`^(Back-off pulling image "[^"]*"(: ErrImagePull)?|Failed to pull image "[^"]*")(: )?`)
	// wrapping is what runtimes say before the cause.
	wrapping = regexp.MustCompile(`^(rpc error: code = \w+ desc = |failed to pull and unpack image "[^"]*": |` +
		`failed to resolve reference "[^"]*": |Error response from daemon: |failed to authorize: |` +
		`initializing source docker://\S+: |reading manifest \S+ in \S+: )`)
	generatedName = regexp.MustCompile(`^(pods "[^"]*" is forbidden: |Error creating: |Pod "[^"]*" is invalid: |` +
		`create Pod \S+ in StatefulSet \S+ failed error: )`)
	podName = regexp.MustCompile(` ?(for pod|pod) "[^"]*"| \(pod: "[^"]*", container: [^)]*\)`)
)

// imageCause is what the registry or runtime said; empty when the message has no cause.
func imageCause(message string) string {
	cause := pulling.ReplaceAllString(message, "")
	for before := ""; before != cause; {
		before = cause
		cause = wrapping.ReplaceAllString(cause, "")
	}
	return brief(cause)
}

// judgeImage says whether the release names an image that is not there, or the registry is at fault.
func judgeImage(image, reason, cause string) (FindingKind, string) {
	image = quoted(image)
	low := strings.ToLower(cause)
	switch {
	case reason == "InvalidImageName":
		return ImageNotFound, image + " is no valid name of an image"
	case reason == "ErrImageNeverPull":
		return ImageNotFound, "image " + image + " is not on the node, and may not be pulled (imagePullPolicy: Never)"
	case reason == "SignatureValidationFailed":
		return ImageNotFound, sentence("the signature of image "+image+" is not valid", cause)
	case contains(low, "connection refused", "no such host", "timeout", "tls handshake", "x509", "toomanyrequests",
		"too many requests", "connection reset", "server misbehaving", "no route to host", "unreachable",
		"deadline exceeded", "internal server error", "bad gateway", "service unavailable", "unexpected eof"):
		return ImageUnavailable, "image " + image + " cannot be pulled, the registry does not answer as it should: " + cause
	case contains(low, "denied", "unauthorized", "authentication required", "forbidden", "insufficient_scope", "no basic auth"):
		return ImageNotFound, "image " + image + " does not exist, or may not be pulled: " + cause
	case contains(low, "not found", "manifest unknown", "manifest_unknown", "name unknown", "name_unknown", "does not exist",
		"not_found", "no such manifest", "no match for platform"):
		return ImageNotFound, "image " + image + " does not exist: " + strings.TrimPrefix(cause, strings.Trim(image, `"`)+": ")
	}
	return ImageUnavailable, sentence("image "+image+" cannot be pulled", cause)
}

// refused makes a finding of the reason for which the API server takes no pod.
func refused(message string) Finding {
	cause := message
	for before := ""; before != cause; {
		before = cause
		cause = generatedName.ReplaceAllString(cause, "")
	}
	cause = brief(cause)
	low := strings.ToLower(message)
	switch {
	case contains(low, "exceeded quota", "insufficient quota"):
		return Finding{Kind: Quota, Message: "the quota of the namespace allows no more pods: " + cause}
	case contains(low, "serviceaccount") && absent(low):
		return Finding{Kind: ConfigMissing, Message: "no pod can be made: " + cause}
	case contains(low, "failed calling webhook", "timeout", "connection refused", "internal error"):
		return Finding{Kind: Admission, Message: "no pod can be made, since what admits it does not answer: " + cause}
	}
	denied := contains(low, "denied the request", "denied request", "violates podsecurity", "is invalid", "usage per",
		"is not allowed", "must specify", "unable to validate against any", "no priorityclass")
	return Finding{Kind: Admission, Terminal: denied, Message: "the API server refuses the pod: " + cause}
}

// nodes is the scheduler's message without what it tried besides: "0/3 nodes are available: " says nothing new.
func nodes(message string) string {
	message, _, _ = strings.Cut(message, " preemption: ")
	if counted, rest, ok := strings.Cut(message, " nodes are available: "); ok && strings.HasPrefix(counted, "0/") {
		message = rest
	}
	return brief(strings.TrimRight(message, ". "))
}

// absent reports whether a message says that an object or a key of it is not there, which may change.
func absent(message string) bool {
	return contains(strings.ToLower(message), "not found", "couldn't find key", "references non-existent", "not registered")
}

func contains(s string, parts ...string) bool {
	for _, a := range parts {
		if strings.Contains(s, a) {
			return true
		}
	}
	return false
}

// brief is one line of bounded length, without the names of pods, which differ for the same cause.
func brief(message string) string {
	message = podName.ReplaceAllString(strings.Join(strings.Fields(message), " "), "")
	if len(message) > longest {
		message = strings.ToValidUTF8(message[:longest], "") + "…"
	}
	return message
}

func sentence(what, why string) string {
	if why == "" {
		return what
	}
	return what + ": " + why
}

func quoted(s string) string { return strconv.Quote(s) }

func lowered(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
