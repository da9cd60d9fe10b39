package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
)

// sigKey begins the last member of a line, sigEnd ends it; sigSize is the length of both with a signature.
const (
	sigKey  = `,"sig":"`
	sigEnd  = `"}`
	sigText = 88 // 64 bytes in base64
	sigSize = len(sigKey) + sigText + len(sigEnd)
)

// Text returns the line as it stands in the note, without a line end.
func (l Line) Text() string {
	if l.text != "" {
		return l.text
	}
	return l.encode()
}

// encode writes the fields, in their order and without spaces.
func (l Line) encode() string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a person reads this in `git log`
	if err := e.Encode(l); err != nil {
		// Only a time outside the years 0 to 9999 or a float that is no number gets here; Chain.Next lets
		// neither through. A line without content is refused by every reader.
		return "{}"
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// payload returns the bytes that are signed and hashed: those before the signature.
func (l Line) payload() string {
	if signed, _, ok := splitSignature(l.text); ok {
		return signed
	}
	l.Sig = ""
	return strings.TrimSuffix(l.encode(), "}")
}

// splitSignature parts a line's text. It is not ok where the last member is no signature.
func splitSignature(text string) (signed string, signature []byte, ok bool) {
	at := len(text) - sigSize
	if at <= 0 || text[at:at+len(sigKey)] != sigKey || !strings.HasSuffix(text, sigEnd) {
		return "", nil, false
	}
	encoded := text[at+len(sigKey) : len(text)-len(sigEnd)]
	signature, err := base64.StdEncoding.Strict().DecodeString(encoded)
	return text[:at], signature, err == nil
}

// hash returns what the next line carries as `prev`.
func hash(payload string) string {
	sum := sha256.Sum256([]byte(payload))
	return hex.EncodeToString(sum[:])
}

// ParseLine reads one line and keeps its exact bytes. Unknown keys are ignored. An error means that the text is
// no line at all; signature and chain are for [Verify].
func ParseLine(text string) (Line, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxLine {
		return Line{}, fmt.Errorf("parse note line: %d bytes are more than %d", len(text), maxLine)
	}
	var l Line
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return Line{}, fmt.Errorf("parse note line: %w", err)
	}
	if l.V == 0 || l.Application == "" || l.Environment == "" || l.Phase == "" {
		return Line{}, fmt.Errorf("parse note line: v, application, environment or phase is missing")
	}
	l.text = text
	return l, nil
}
