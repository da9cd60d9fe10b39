package reconciler

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-cd/sluice/reconciler/view"
)

// requestWords are how forges name a request in the commit that merged it: GitHub "Merge pull request #12 from ...", Gitea and Forgejo
// "Merge pull request 'title' (#12) from ...", Bitbucket "Merged in x (pull request #12)", and for a squash all of them "title (#12)".
// GitLab says it in the last line of the message: "See merge request group/project!12".
var requestWords = []*regexp.Regexp{
	regexp.MustCompile(`^Merge pull request #([0-9]{1,9}) from `),
	regexp.MustCompile(`^Merge pull request '.*' \(#([0-9]{1,9})\) from `),
	regexp.MustCompile(`^Merged in .* \(pull request #([0-9]{1,9})\)$`),
	regexp.MustCompile(`\(#([0-9]{1,9})\)$`),
}

var seeRequest = regexp.MustCompile(`(?m)^See merge request \S*!([0-9]{1,9})$`)

// MergedBy is who merged by a commit and by which request, as the commit says it; nil where it is no merge. A squash says the request
// alone: its author wrote the change. Nothing decides by it: anybody can write what they like into a commit.
func MergedBy(author, message string, parents int) *view.Merged {
	subject, _, _ := strings.Cut(strings.TrimLeft(message, "\n"), "\n")
	subject = strings.TrimSpace(subject)
	found := seeRequest.FindStringSubmatch(message)
	for _, words := range requestWords {
		if found == nil {
			found = words.FindStringSubmatch(subject)
		}
	}
	made := view.Merged{}
	if found != nil {
		made.Request, _ = strconv.Atoi(found[1])
	}
	if parents > 1 {
		made.By = oneLine(author)
	}
	if made == (view.Merged{}) {
		return nil
	}
	return &made
}
