// Package access says who looks at a dashboard: a gate for each way in which somebody can be known. [Basic] asks for a password,
// [Proxy] believes a proxy that has asked, and [OIDC] leads to a login at an OpenID Connect provider. An empty name is nobody, and
// who is nobody gets no page.
//
//	gate := access.NewOIDC(access.OIDCConfig{Issuer: "https://login.example.com", ...})
//	server, err := dashboard.New(dashboard.Config{Source: agent, Gate: gate})
//
// What a login needs on its way to the provider and back is sealed into the address, with a key that is made at the start and
// bound to a cookie of the browser; nothing is kept for who only asks. Sessions are kept in memory, bounded in number and time.
// Nothing here is logged of who looked at what, and no error of a provider is shown.
package access
