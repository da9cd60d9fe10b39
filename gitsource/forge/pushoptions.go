package forge

import "strings"

// PushOptions open a merge request at GitLab by a push alone, without a token for its API:
// https://docs.gitlab.com/topics/git/commit/#push-options-for-merge-requests. GitLab ignores them where an open one is there
// already, and so they cannot change it, nor see that a person closed one. A push option has no room for line ends and is
// one line of the protocol, 65,516 bytes at most; the text is cut long before.
func PushOptions(d Draft) []string {
	clean := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, s)
	}
	text := strings.ReplaceAll(cut(d.Text, 15_000), "\r\n", "\n")
	text = clean(strings.NewReplacer("\n", `\n`, "\t", " ").Replace(text))
	return []string{
		"merge_request.create",
		"merge_request.target=" + clean(d.Target),
		"merge_request.title=" + cut(clean(line(d.Title)), 255),
		"merge_request.description=" + text,
	}
}
