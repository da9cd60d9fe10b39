package config

import "testing"

func TestPause(t *testing.T) {
	for name, test := range map[string]struct {
		reason, have string
		paused       bool
		want         string // empty: it is an error
	}{
		"Empty":     {"a file that is not there is as good as an empty one", "", true, "paused: true\n"},
		"Comment":   {"what people wrote stays", "# ours\nretry: 3", true, "# ours\nretry: 3\npaused: true\n"},
		"InPlace":   {"the word changes where it stands", "paused: false   # since the move\nretry: 3\n", true, "paused: true   # since the move\nretry: 3\n"},
		"Resume":    {"and back", "retry: 3\npaused: true # 4711\n", false, "retry: 3\npaused: false # 4711\n"},
		"Already":   {"what is so is not written again", "{paused: true}\n", true, "{paused: true}\n"},
		"NotPaused": {"nor what nobody said", "retry: 3\n", false, "retry: 3\n"},
		"InFlow":    {"one word in a flow can be edited", "{paused: true, retry: 3}\n", false, "{paused: false, retry: 3}\n"},
		"FlowRoot":  {"what cannot be edited is said", "{retry: 3}\n", true, ""},
		"Faulty":    {"a faulty file is not made worse", "pausd: true\n", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Pause("releases/production.yaml", []byte(test.have), test.paused)
			if (err != nil) != (test.want == "") || string(got) != test.want {
				t.Errorf("%s: got %q, %v, want %q", test.reason, got, err, test.want)
			}
		})
	}
}
