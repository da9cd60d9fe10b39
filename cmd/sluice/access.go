package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/sluice-cd/sluice/cmd/sluice/dashboard"
	"github.com/sluice-cd/sluice/cmd/sluice/dashboard/access"
	"github.com/sluice-cd/sluice/reconciler/config"
)

// readCredentials reads what agent.yaml refers to.
type readCredentials func(context.Context, config.Credentials) (map[string][]byte, error)

// fromFolder reads credentials where there is no cluster to ask for a Secret.
func fromFolder(_ context.Context, of config.Credentials) (map[string][]byte, error) {
	if of.Directory == "" {
		return nil, fmt.Errorf("read credentials: %q is a Secret, and no cluster is asked here: say directory", of.Secret)
	}
	return config.LoadCredentials(of.Directory)
}

// guard says who may look at a dashboard, how much, and under which names, as agent.yaml has it.
func guard(made *dashboard.Config, of config.Dashboard, read readCredentials, log *slog.Logger) (err error) {
	names, only := of.HostNames()
	made.Hosts = dashboard.Hosts{Names: names, Any: !only}
	if of.Access != nil {
		l := of.Access.Limits
		made.Limits = dashboard.Limits{Viewer: l.Viewer, Address: l.Address, All: l.All}
	}
	made.Gate, err = gateOf(of.Access, read, log)
	return err
}

// gateOf is who may look. Nothing said, which agent.yaml may do on loopback alone, is everybody.
func gateOf(a *config.Access, read readCredentials, log *slog.Logger) (dashboard.Gate, error) {
	switch {
	case a == nil:
		return dashboard.Everybody{}, nil
	case a.Basic != nil:
		return access.NewBasic(access.BasicConfig{Sees: seesOf(a.Sees), Log: log, Users: func(ctx context.Context) ([]byte, error) {
			values, err := read(ctx, a.Basic.Users)
			if err == nil && values[config.CredentialUsers] == nil {
				err = errors.New("read credentials: there is no key users")
			}
			return values[config.CredentialUsers], err
		}}), nil
	case a.Proxy != nil:
		made := access.Proxy{Header: a.Proxy.Header, GroupsHeader: a.Proxy.GroupsHeader, Sees: seesOf(a.Sees)}
		for _, from := range a.Proxy.From {
			prefix, ok := config.Prefix(from)
			if !ok {
				return nil, fmt.Errorf("read dashboard.access.proxy.from: %q is no address", from)
			}
			made.From = append(made.From, prefix)
		}
		return made, nil
	case a.OIDC != nil:
		return loginOf(a, read, log)
	}
	return dashboard.Everybody{}, nil
}

func loginOf(a *config.Access, read readCredentials, log *slog.Logger) (dashboard.Gate, error) {
	o := a.OIDC
	return access.NewOIDC(access.OIDCConfig{
		Issuer: o.Issuer, ClientID: o.ClientID, RedirectURL: o.RedirectURL, Scopes: o.Scopes, UserClaim: o.UserClaim, GroupsClaim: o.GroupsClaim,
		Idle: o.Session.Idle.Std(), Longest: o.Session.Longest.Std(), Sees: seesOf(a.Sees), Log: log,
		Secret: func(ctx context.Context) (access.Secret, error) {
			values, err := read(ctx, o.ClientSecret)
			if err == nil && len(values[config.CredentialToken]) == 0 {
				err = errors.New("read credentials: there is no key token")
			}
			if err != nil {
				return access.Secret{}, err
			}
			return access.Secret{Token: string(values[config.CredentialToken]), CA: values[config.CredentialCA]}, nil
		},
	})
}

func seesOf(said []config.Sight) access.Sees {
	var made access.Sees
	for _, s := range said {
		made = append(made, access.Sight{Groups: s.Groups, Users: s.Users, Applications: s.Applications})
	}
	return made
}
