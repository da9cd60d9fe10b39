package sops

import (
	"regexp"
	"strings"
)

// recipient is one for whom a data key was encrypted.
type recipient struct{ name, sealed string }

// metadata is the sops block of a file, as far as it matters here.
type metadata struct {
	age, pgp []recipient
	groups   bool
	// Which values are encrypted, by their keys; all empty: every one.
	encryptedSuffix, unencryptedSuffix string
	encryptedRegex, unencryptedRegex   string
	byComment                          bool // comments say it, which nobody sees any more
}

// metadataOf reads a sops block.
func metadataOf(block map[string]any) metadata {
	text := func(of map[string]any, key string) string {
		s, _ := of[key].(string)
		return s
	}
	list := func(key, name string) (all []recipient) {
		items, _ := block[key].([]any)
		for _, item := range items {
			if of, ok := item.(map[string]any); ok {
				all = append(all, recipient{text(of, name), text(of, "enc")})
			}
		}
		return all
	}
	groups, _ := block["key_groups"].([]any)
	return metadata{
		age: list("age", "recipient"), pgp: list("pgp", "fp"), groups: len(groups) > 0,
		encryptedSuffix: text(block, "encrypted_suffix"), unencryptedSuffix: text(block, "unencrypted_suffix"),
		encryptedRegex: text(block, "encrypted_regex"), unencryptedRegex: text(block, "unencrypted_regex"),
		byComment: text(block, "encrypted_comment_regex")+text(block, "unencrypted_comment_regex") != "",
	}
}

// flatKey is a name of the sops block of a file of lines: sops_age__list_0__map_enc.
var flatKey = regexp.MustCompile(`^sops_(age|pgp)__list_(\d+)__map_(enc|recipient|fp)$`)

// flatPrefix begins all of them, and flatMAC is always there.
const (
	flatPrefix = "sops_"
	flatMAC    = "sops_mac"
)

// unflattened makes the block of a file of lines what that of the others is.
func unflattened(flat map[string]string) map[string]any {
	block := map[string]any{}
	items := map[string]map[string]any{}
	var order []string
	for _, key := range sortedKeys(flat) {
		value := strings.ReplaceAll(flat[key], `\n`, "\n")
		m := flatKey.FindStringSubmatch(key)
		if m == nil {
			block[strings.TrimPrefix(key, flatPrefix)] = value
			continue
		}
		id := m[1] + " " + m[2]
		if items[id] == nil {
			items[id], order = map[string]any{}, append(order, id)
		}
		items[id][m[3]] = value
	}
	for _, id := range order {
		kind, _, _ := strings.Cut(id, " ")
		list, _ := block[kind].([]any)
		block[kind] = append(list, items[id])
	}
	return block
}

// wants reports whether the value at a path is to be encrypted.
func (m metadata) wants(path []string) bool {
	some := func(match func(string) bool) bool {
		for _, key := range path {
			if match(key) {
				return true
			}
		}
		return false
	}
	matches := func(pattern string) func(string) bool {
		re, err := regexp.Compile(pattern)
		return func(key string) bool { return err == nil && re.MatchString(key) }
	}
	switch {
	case m.byComment:
		return false
	case m.encryptedRegex != "":
		return some(matches(m.encryptedRegex))
	case m.unencryptedRegex != "":
		return !some(matches(m.unencryptedRegex))
	case m.encryptedSuffix != "":
		return some(func(key string) bool { return strings.HasSuffix(key, m.encryptedSuffix) })
	case m.unencryptedSuffix != "":
		return !some(func(key string) bool { return strings.HasSuffix(key, m.unencryptedSuffix) })
	}
	return true
}
