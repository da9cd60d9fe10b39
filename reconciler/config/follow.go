package config

import (
	"encoding/json"
	"fmt"
)

// Follow is which revision an environment is at: exactly one of its fields, or none for the tip. In YAML and
// JSON it is the word tip or pin, or {branch: name}, or {tag: range}.
type Follow struct {
	// Pin follows the revision that the release file names; written as the word pin.
	Pin bool `json:"-"`
	// Branch is another branch of the same repository, whose tip is followed.
	Branch string `json:"branch,omitempty"`
	// Tag is a semantic version range, such as ">=1.2.0 <2"; the newest tag in it is followed.
	Tag string `json:"tag,omitempty"`
}

// Tip reports whether the tip of the polled branch is followed.
func (f Follow) Tip() bool { return f == Follow{} }

// The words that stand for a Follow without further detail.
const (
	followTip = "tip"
	followPin = "pin"
)

// followForm is what every fault about follow says.
const followForm = "must be tip, pin, {branch: name} or {tag: range}"

// followFields is Follow without its methods.
type followFields Follow

// form is the value that is written: a word or a mapping.
func (f Follow) form() (any, error) {
	switch {
	case f.Tip():
		return followTip, nil
	case f == Follow{Pin: true}:
		return followPin, nil
	case f == Follow{Branch: f.Branch}, f == Follow{Tag: f.Tag}:
		return followFields(f), nil
	}
	return nil, fmt.Errorf("write follow: %s", followForm)
}

// MarshalJSON writes the word or the mapping; more than one field is an error.
func (f Follow) MarshalJSON() ([]byte, error) {
	form, err := f.form()
	if err != nil {
		return nil, err
	}
	return json.Marshal(form)
}

// UnmarshalJSON reads the word or the mapping.
func (f *Follow) UnmarshalJSON(data []byte) error {
	var word string
	if json.Unmarshal(data, &word) == nil {
		return f.word(word)
	}
	var fields followFields
	if json.Unmarshal(data, &fields) != nil || (fields.Branch == "") == (fields.Tag == "") {
		return fmt.Errorf("read follow: %s", followForm)
	}
	*f = Follow(fields)
	return nil
}

// MarshalYAML writes the word or the mapping; more than one field is an error.
func (f Follow) MarshalYAML() (any, error) {
	form, err := f.form()
	if fields, ok := form.(followFields); ok {
		if fields.Branch != "" {
			return map[string]string{"branch": fields.Branch}, err
		}
		return map[string]string{"tag": fields.Tag}, err
	}
	return form, err
}

// UnmarshalYAML reads the word or the mapping.
func (f *Follow) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		return f.word(word)
	}
	var fields map[string]string
	if unmarshal(&fields) != nil {
		return fmt.Errorf("read follow: %s", followForm)
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return fmt.Errorf("read follow: %w", err)
	}
	return f.UnmarshalJSON(data)
}

// word reads one of the two words.
func (f *Follow) word(word string) error {
	switch word {
	case followTip:
		*f = Follow{}
	case followPin:
		*f = Follow{Pin: true}
	default:
		return fmt.Errorf("%s", followForm)
	}
	return nil
}
