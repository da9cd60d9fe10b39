package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// claims are what a provider says of somebody.
type claims map[string]any

func (c claims) text(name string) string {
	value, _ := c[name].(string)
	return strings.TrimSpace(value)
}

// list is a claim of several values, or of one.
func (c claims) list(name string) []string {
	switch value := c[name].(type) {
	case string:
		return []string{value}
	case []any:
		var out []string
		for _, v := range value {
			if text, ok := v.(string); ok && text != "" {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// known is who it is by these claims. An address that the provider did not verify is anybody's.
func (c claims) known(userClaim, groupsClaim string) known {
	verified := c["email_verified"] == true || c["email_verified"] == "true"
	k := known{user: c.text(userClaim), groups: c.list(groupsClaim)}
	if userClaim == "email" && !verified {
		k.user = ""
	}
	for _, name := range []string{"preferred_username", "name", "email"} {
		if k.name == "" && (name != "email" || verified) {
			k.name = c.text(name)
		}
	}
	return k
}

// prove takes the ID token of an answer apart, which has to be of this issuer, for this client, still valid, and for this login.
// Where it has no groups, userinfo is asked.
func (o *OIDC) prove(ctx context.Context, provider *oidc.Provider, token *oauth2.Token, nonce string) (subject string, _ claims, _ error) {
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return "", nil, errors.New("there is no ID token")
	}
	id, err := provider.Verifier(&oidc.Config{ClientID: o.config.ClientID, Now: o.config.Now}).Verify(ctx, raw)
	if err != nil {
		return "", nil, fmt.Errorf("verify ID token: %w", err)
	}
	if id.Nonce == "" || id.Nonce != nonce {
		return "", nil, errors.New("verify ID token: it is of another login")
	}
	said := claims{}
	if err := id.Claims(&said); err != nil {
		return "", nil, fmt.Errorf("read ID token: %w", err)
	}
	if _, there := said[o.config.GroupsClaim]; there || o.config.Sees == nil || provider.UserInfoEndpoint() == "" {
		return id.Subject, said, nil
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return "", nil, fmt.Errorf("ask for groups: %w", err)
	}
	if info.Subject != id.Subject {
		return "", nil, errors.New("ask for groups: the answer is about somebody else")
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return "", nil, fmt.Errorf("read groups: %w", err)
	}
	said[o.config.GroupsClaim] = more[o.config.GroupsClaim]
	return id.Subject, said, nil
}
