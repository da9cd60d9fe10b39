package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sluice-cd/sluice/gitsource"
	"github.com/sluice-cd/sluice/gitsource/forge"
)

// addPush adds --push and --request to a command that prepares a commit.
func (f *prepareFlags) addPush(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.push, "push", false, "push the commit")
	kinds := []string{string(forge.GitHub), string(forge.GitLab), string(forge.Gitea), string(forge.Forgejo)}
	cmd.Flags().Var(&choice{&f.request, kinds}, "request",
		"what forge origin is, "+strings.Join(kinds, ", ")+": open a merge request there, with the token of --credentials or of origin's address")
	cmd.MarkFlagsMutuallyExclusive("push", "request")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "request")
}

// open puts the last commit on a branch of its own, pushes that, and opens a merge request of it. The branch that was worked on is
// then as it was before: what is asked for is not decided yet.
func (d *desk) open(cmd *cobra.Command, client *forge.Client, message string, made *prepared) error {
	ctx, clone, talk := cmd.Context(), d.clones.ledger, cmd.ErrOrStderr()
	title, text, _ := strings.Cut(message, "\n")
	branch := branchNamed(title)
	if _, err := clone.git(ctx, "branch", "--no-track", branch); err != nil {
		return hinted{fmt.Errorf("the commit is on %s: %w", clone.branch, err), clone.command("branch -D "+branch) + ", where it is of an earlier try"}
	}
	if _, err := clone.git(ctx, "reset", "--quiet", "--keep", "HEAD^"); err != nil {
		return err
	}
	fmt.Fprintf(talk, "It is on branch %s; %s is as it was\n", branch, clone.branch)
	if _, err := clone.git(ctx, "push", "--quiet", "origin", "refs/heads/"+branch+":refs/heads/"+branch); err != nil {
		return err
	}
	made.Branch, made.Pushed = branch, true
	opened, err := client.Create(ctx, forge.Draft{Source: branch, Target: clone.branch, Title: title, Text: strings.TrimSpace(text)})
	var refused *forge.Error
	if errors.As(err, &refused) && refused.Problem == forge.Exists {
		fmt.Fprintf(talk, "A merge request of %s is open already\n", branch)
		return nil
	}
	if err != nil {
		return err
	}
	made.Request = opened.URL
	fmt.Fprintf(talk, "Opened %s\n", made.Request)
	return nil
}

// forge is the client of origin's forge, which sends nothing yet; nil where no merge request is wanted.
func (d *desk) forge() (*forge.Client, error) {
	if d.request == "" {
		return nil, nil
	}
	of := notesFlags{repository: d.clones.ledger.root, credentials: d.credentials}
	address, credentials, err := of.address()
	if err != nil {
		return nil, err
	}
	var token gitsource.Secret
	if credentials != nil {
		found, err := credentials()
		if err != nil {
			return nil, err
		}
		if token = found.Token; token.Empty() {
			token = found.Password // forges take tokens for passwords
		}
	}
	if token.Empty() {
		return nil, hinted{errors.New("--request needs a token for the forge"), "--credentials FOLDER, with a file token in it"}
	}
	return forge.Open(forge.Config{
		Kind: forge.Kind(d.request), URL: address, Transport: http.DefaultTransport, Token: func() (gitsource.Secret, error) { return token, nil },
	})
}

// branchNamed is the name of a branch for a commit of this title.
func branchNamed(title string) string {
	words := strings.FieldsFunc(strings.ToLower(title), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}
