package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// What a caller can tell apart with errors.Is.
var (
	ErrNotFound    = errors.New("not found")
	ErrAuth        = errors.New("authentication refused")
	ErrReadOnly    = errors.New("no right to write")
	ErrRefused     = errors.New("refused by the server")
	ErrRace        = errors.New("reference was changed by somebody else")
	ErrUnavailable = errors.New("server unavailable")
	ErrIncomplete  = errors.New("server lacks objects that the change builds on")
	// ErrProtected is an ErrRefused: the server protects the branch.
	ErrProtected = fmt.Errorf("branch is protected: %w", ErrRefused)
)

// maxServerText is how much of a server's own words goes into an error, in characters.
const maxServerText = 300

// phrase lists are matched against lower-case text; each entry was seen on a hosted forge or in Git's own sources.
func matches(text string, phrases ...string) bool {
	text = strings.ToLower(text)
	for _, p := range phrases {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}

func saysNotFound(text string) bool {
	return matches(text, "not found", "does not exist", "does not appear to be a git repository",
		"could not be found", "no such repository", "not a git repository")
}

func saysNoRight(text string) bool {
	return matches(text, "read only", "read-only", "denied", "not allowed", "write access", "not authorized",
		"unauthorized", "forbidden", "insufficient permission", "archived", "service not enabled", "hidden ref")
}

// saysProtected comes before saysNoRight, because some forges say "not allowed to push to protected branch". The phrases
// are those of GitHub (GH006, GH013), GitLab, Gitea and Forgejo, Bitbucket, Azure DevOps (TF402455) and receive.denyDeletes:
// https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/troubleshooting-rules
// https://gitlab.com/gitlab-org/gitlab/-/blob/master/lib/gitlab/checks/branch_check.rb
// https://github.com/go-gitea/gitea/blob/main/routers/private/hook_pre_receive.go
func saysProtected(text string) bool {
	return matches(text, "protected branch", "is protected from", "repository rule violations",
		"gh006", "gh013", "tf402455", "you must use a pull request", "not allowed to update the branch",
		"permission denied to update branch", "deletion prohibited", "denying ref deletion")
}

func saysRace(text string) bool {
	return matches(text, "fetch first", "already exists", "incorrect old value", "failed to update ref",
		"cannot lock ref", "non-fast-forward", "atomic transaction failed", "failed to lock",
		"stale info") ||
		matches(text, "but is at") || matches(text, "required to be") && matches(text, "but is")
}

// classify turns what a server said into an error of the fitting kind.
func classify(service Service, text string) error {
	switch {
	case saysNotFound(text):
		return fmt.Errorf("%w: %s", ErrNotFound, text)
	case saysNoRight(text) && service == ReceivePack:
		return fmt.Errorf("%w: %s", ErrReadOnly, text)
	case saysNoRight(text):
		return fmt.Errorf("%w: %s", ErrAuth, text)
	}
	return fmt.Errorf("%w: %s", ErrUnavailable, text)
}

// unavailable marks a fault of network or server, unless the caller's own context ended.
func unavailable(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrAuth) || errors.Is(err, ErrNotFound) ||
		errors.Is(err, ErrReadOnly) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// clean makes one printable line of what a server sent, without any of the given secrets.
func clean(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "<redacted>")
	}
	lines := strings.FieldsFunc(text, func(c rune) bool { return c == '\n' || c == '\r' })
	kept := lines[:0]
	for _, line := range lines {
		line = strings.TrimSpace(strings.Map(func(c rune) rune {
			if unicode.IsPrint(c) {
				return c
			}
			return ' '
		}, line))
		if line != "" && line != "remote:" && line != "error:" {
			kept = append(kept, line)
		}
	}
	text = strings.Join(kept, "; ")
	if runes := []rune(text); len(runes) > maxServerText {
		text = string(runes[:maxServerText]) + "..."
	}
	return text
}
