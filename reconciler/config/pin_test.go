package config

import "testing"

func TestPin(t *testing.T) {
	const older, newer = "a111111111111111111111111111111111111111", "b222222222222222222222222222222222222222"
	for name, test := range map[string]struct{ reason, have, want string }{
		"Empty":   {"there was no pin", "", "revision: " + newer + "\n"},
		"Comment": {"what people wrote stays", "# ours\n", "# ours\nrevision: " + newer + "\n"},
		"Another": {
			"only the revision is another, and what was said of the release before goes",
			"# the pin\nrevision: " + older + " # see 4711\napproved: {revision: " + older + ", stage: 2}\nhotfix: {revision: " + older + "}\nretry: 3\nprune:\n  revision: " + older + "\n",
			"# the pin\nrevision: " + newer + " # see 4711\nretry: 3\n",
		},
		"NoPin":  {"what else there is stays", "paused: true\n", "revision: " + newer + "\npaused: true\n"},
		"InFlow": {"a form that is not edited is written anew", "{revision: " + older + ", retry: 2}\n", "retry: 2\nrevision: " + newer + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Pin("releases/production.yaml", []byte(test.have), newer)
			if err != nil || string(got) != test.want {
				t.Errorf("%s: got %q, %v, want %q", test.reason, got, err, test.want)
			}
		})
	}
	const number = "2222222222222222222222222222222222222222" // YAML takes it for one
	if got, err := Pin("releases/production.yaml", nil, number); err != nil || string(got) != "revision: \""+number+"\"\n" {
		t.Errorf("a hash of digits alone gives %q, %v", got, err)
	}
	if _, err := Pin("releases/production.yaml", []byte("revison: x\n"), newer); err == nil {
		t.Error("a faulty file was pinned")
	}
	for have, want := range map[string]string{
		"": "revision: " + newer + "\nhotfix: {revision: " + newer + "}\n",
		"hotfix: {revision: " + older + "}\n# ours\n": "revision: " + newer + "\n# ours\nhotfix: {revision: " + newer + "}\n",
	} {
		if got, err := PinHotfix("releases/production.yaml", []byte(have), newer); err != nil || string(got) != want {
			t.Errorf("a hotfix over %q gives %q, %v", have, got, err)
		}
	}
	if got, err := PinHotfix("releases/production.yaml", nil, number); err != nil || string(got) != "hotfix:\n  revision: \""+number+"\"\nrevision: \""+number+"\"\n" {
		t.Errorf("a hotfix of digits alone gives %q, %v", got, err)
	}
}
