package config

// Webhooks is the listener for forges that tell of pushes and merge requests. What they tell has the agent look at once,
// instead of at the next poll; nothing is decided by it.
type Webhooks struct {
	// Listen is the host:port of the listener, for webhooks alone: forges post to /webhooks/ and the repository's name. It
	// speaks HTTP; whoever lets a forge in from outside puts TLS before it.
	Listen string `json:"listen"`
}

// Webhook is how a repository's forge proves that it is the one who tells.
type Webhook struct {
	// Secret says where the webhook's secret is found, under the key token. GitHub, Gitea and Forgejo sign with it; GitLab
	// sends it.
	Secret Credentials `json:"secret"`
}

func checkWebhooks(d *document, a *Agent) {
	heard := false
	check := func(at string, w *Webhook, f *Forge) {
		if w == nil {
			return
		}
		heard = true
		checkCredentials(d, at+".secret", &w.Secret)
		if f == nil {
			d.reject(at, "needs a forge, whose kind says how webhooks are signed")
		}
		if a.Webhooks == nil {
			d.reject(at, "needs webhooks: {listen: host:port}")
		}
	}
	for i := range a.Repositories {
		r, at := &a.Repositories[i], d.item("repositories", i)
		check(at+".webhook", r.Webhook, r.Forge)
		if l := r.WriteBack.Ledger; l != nil {
			check(at+".writeBack.ledger.webhook", l.Webhook, l.Forge)
		}
	}
	if a.Webhooks == nil {
		return
	}
	const at = "webhooks.listen"
	switch listen := a.Webhooks.Listen; listen {
	case "":
		d.reject(at, "is required")
	case a.Listen:
		d.reject(at, "must not be listen, where metrics are: forges get a listener of their own %s", got(listen))
	default:
		d.address(at, listen, "must be host:port or :port")
	}
	if !heard {
		d.reject("webhooks", "needs a repository with a webhook")
	}
}
