package trust

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, tc := range map[string]struct {
		ca       []byte
		believes bool
		err      error
	}{
		"Nobody":  {nil, false, nil},
		"Its":     {bundle, true, nil},
		"Nothing": {[]byte("a note\n"), false, ErrNone},
	} {
		t.Run(name, func(t *testing.T) {
			conf, err := TLS(tc.ca)
			if !errors.Is(err, tc.err) {
				t.Fatalf("error is %v, want %v", err, tc.err)
			}
			transport := &http.Transport{TLSClientConfig: conf}
			t.Cleanup(transport.CloseIdleConnections)
			answer, err := (&http.Client{Transport: transport}).Get(server.URL)
			if err == nil {
				_ = answer.Body.Close()
			}
			if (err == nil) != tc.believes {
				t.Errorf("it believes the server: %v (%v), want %v", err == nil, err, tc.believes)
			}
		})
	}
}
