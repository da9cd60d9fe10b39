package config

import (
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ReservedNamespaces are those that no application may touch, beside the agent's own.
func ReservedNamespaces() []string { return []string{"kube-system", "kube-public", "kube-node-lease"} }

func isLabel(s string) bool { return len(validation.IsDNS1123Label(s)) == 0 }

func isSubdomain(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 }

const labelForm = "must be a DNS label: lower case letters, digits and '-', at most 63 characters"

// label demands a DNS label and reports whether it is one.
func (d *document) label(at, value string) bool {
	switch {
	case value == "":
		d.reject(at, "is required")
	case !isLabel(value):
		d.reject(at, "%s %s", labelForm, got(value))
	default:
		return true
	}
	return false
}

// header demands the apiVersion, the kind and the name of a document.
func (d *document) header(apiVersion, kind, wantKind string, meta Metadata) {
	if apiVersion != APIVersion {
		d.reject("apiVersion", "must be %s %s", APIVersion, got(apiVersion))
	}
	if kind != wantKind {
		d.reject("kind", "must be %s %s", wantKind, got(kind))
	}
	d.label("metadata.name", meta.Name)
}

// oneOf demands one word of several; empty is none of them.
func (d *document) oneOf(at, value string, words ...string) {
	if !slices.Contains(words, value) {
		d.reject(at, "must be %s %s", listed(words), got(value))
	}
}

// listed is "a, b or c".
func listed(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

var (
	nameGlob = regexp.MustCompile(`^[a-z0-9*?\[\]^!-]+$`)
	kindGlob = regexp.MustCompile(`^[A-Z*?\[][A-Za-z0-9*?\[\]^-]*(\.([a-z0-9*?\[\]^-]+(\.[a-z0-9*?\[\]^-]+)*)?)?$`)
)

// maxGlob is as long as the longest name that a glob is compared with, a DNS subdomain.
const maxGlob = 253

func isGlob(s string) bool {
	_, err := path.Match(s, "")
	return err == nil && len(s) <= maxGlob
}

// globs demands names or globs that a DNS label can match; least is how many there must be. A list that is
// there but empty would match nothing, which nobody means.
func (d *document) globs(at string, values []string, least int) {
	if len(values) == 0 {
		switch {
		case least > 0:
			d.reject(at, "must have at least one name or glob")
		case values != nil:
			d.reject(at, "is empty: leave it out, or name something")
		}
	}
	for i, value := range values {
		switch {
		case !isGlob(value) || !nameGlob.MatchString(value):
			d.reject(d.item(at, i), "must be a DNS label or a glob of one %s", got(value))
		case !strings.ContainsAny(value, "*?[") && !isLabel(value):
			d.reject(d.item(at, i), "%s %s", labelForm, got(value))
		}
	}
}

// kinds demands Kind, Kind.group or globs of those.
func (d *document) kinds(at string, values []string) {
	for i, value := range values {
		d.kind(d.item(at, i), value)
	}
}

func (d *document) kind(at, value string) {
	switch {
	case value == "":
		d.reject(at, "is required")
	case !isGlob(value) || !kindGlob.MatchString(value):
		d.reject(at, "must be Kind or Kind.group, such as Deployment or Deployment.apps, or a glob of one %s", got(value))
	}
}

var (
	fullHash = regexp.MustCompile(`^(?:[0-9a-f]{40}|[0-9a-f]{64})$`)
	scpLike  = regexp.MustCompile(`^(?:[A-Za-z0-9._][A-Za-z0-9._-]*@)?(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\]):([^-\s\\][^\s\\]*)$`)
)

// hash demands a full commit hash.
func (d *document) hash(at, value string) {
	if !fullHash.MatchString(value) {
		d.reject(at, "must be a full commit hash, 40 (SHA-256: 64) lower case hexadecimal digits %s", got(value))
	}
}

// gitURL demands an address that the agent may clone from. Nothing of a URL that could be a secret is shown.
func (d *document) gitURL(at, value string) {
	const form = "must be http://, https:// or ssh://, or scp-like such as git@host:path"
	switch {
	case value == "":
		d.reject(at, "is required")
		return
	case hasControl(value) || strings.Contains(value, " "):
		d.reject(at, "must not have spaces or control characters")
		return
	case !strings.Contains(value, "://"):
		if !scpLike.MatchString(value) {
			d.reject(at, "%s", form)
		}
		return
	}
	u, err := url.Parse(value)
	if err != nil {
		d.reject(at, "%s", form)
		return
	}
	_, password := u.User.Password()
	switch {
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "ssh":
		d.reject(at, "%s (got %s://)", form, u.Scheme)
	case password, u.User != nil && u.Scheme != "ssh":
		d.reject(at, "must not name a user, password or token: put them into credentials (host %q)", u.Host)
	case u.Hostname() == "" || strings.HasPrefix(u.Hostname(), "-"):
		d.reject(at, "must name a host")
	case strings.Trim(u.Path, "/") == "":
		d.reject(at, "must name a repository (host %q)", u.Host)
	case u.RawQuery != "" || u.Fragment != "":
		d.reject(at, "must not have a query or fragment (host %q)", u.Host)
	}
}

// isSSH reports whether a valid address is spoken to over SSH.
func isSSH(address string) bool {
	return strings.HasPrefix(address, "ssh://") || !strings.Contains(address, "://")
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// relative demands a path in a repository that starts at the folder of the file. It may climb with "..": the
// jail is the renderer's.
func (d *document) relative(at, value string) bool {
	switch {
	case value == "":
		d.reject(at, "is required")
	case path.IsAbs(value):
		d.reject(at, "must be a relative path %s", got(value))
	case strings.Contains(value, `\`) || hasControl(value):
		d.reject(at, "must be a path with / between its parts %s", got(value))
	case strings.Contains(value, "://"):
		d.reject(at, "must be a path in the repository, not an address")
	default:
		return true
	}
	return false
}

// inside demands a relative path that does not climb out of the repository.
func (d *document) inside(at, value string) {
	if !d.relative(at, value) {
		return
	}
	if clean := path.Clean(value); clean == ".." || strings.HasPrefix(clean, "../") {
		d.reject(at, "must not leave the repository %s", got(value))
	}
}

// local demands the path of a file or folder beside the agent, plain: nothing in it is expanded.
func (d *document) local(at, value string) {
	if value == "" || hasControl(value) || strings.ContainsAny(value, "$~") || strings.Contains(value, "://") {
		d.reject(at, "must be a plain path, without $, ~ or :// %s", got(value))
	}
}

var branchRefused = regexp.MustCompile(`[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|/\.|\.lock(/|$)|^@$`)

// branch demands the short name of a branch, by the rules of git check-ref-format.
func (d *document) branch(at, value string) {
	switch {
	case branchRefused.MatchString(value) || len(value) > 250:
		d.reject(at, "must be the name of a branch %s", got(value))
	case strings.HasPrefix(value, "refs/"):
		d.reject(at, "must be the name of a branch without refs/heads/ %s", got(value))
	}
}

// listen demands host:port or none.
func (d *document) listen(at, value string) {
	if value != "none" {
		d.address(at, value, "must be host:port, :port or none")
	}
}

// address demands host:port or :port, with a number.
func (d *document) address(at, value, message string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil || strings.Trim(port, "0123456789") != "" {
		d.reject(at, message+" %s", got(value))
	}
}
