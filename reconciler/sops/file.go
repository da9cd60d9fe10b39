package sops

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a file in a Secret, which the API server bounds to 1 MiB.
const maxFile = 2 << 20

// File opens an encrypted file: lines NAME=value, YAML, or what SOPS makes of any other file, which is JSON with the one
// entry data. YAML comes back with its order and comments, indented by four.
func (k Keys) File(data []byte) ([]byte, error) {
	if len(data) > maxFile {
		return nil, fmt.Errorf("an encrypted file is larger than %d MiB", maxFile>>20)
	}
	var binary struct {
		Data string         `json:"data"`
		Sops map[string]any `json:"sops"`
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&binary) == nil && binary.Sops != nil && sealed(binary.Data) {
		key, err := k.dataKey(metadataOf(binary.Sops))
		if err != nil {
			return nil, err
		}
		plain, err := value(binary.Data, key, []string{"data"})
		if err != nil {
			return nil, err
		}
		return fmt.Append(nil, plain), nil
	}
	if bytes.Contains(data, []byte("\n"+flatMAC+"=")) {
		return k.lines(string(data))
	}
	return k.yaml(data)
}

// lines opens a file of lines NAME=value. Encrypted comments go.
func (k Keys) lines(text string) ([]byte, error) {
	flat, kept := map[string]string{}, []string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if key, value, ok := strings.Cut(line, "="); ok && strings.HasPrefix(key, flatPrefix) {
			flat[key] = value
		} else if !sealed(strings.TrimPrefix(line, "#")) {
			kept = append(kept, line)
		}
	}
	dataKey, err := k.dataKey(metadataOf(unflattened(flat)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, line := range kept {
		if key, text, ok := strings.Cut(line, "="); ok && sealed(text) {
			plain, err := value(text, dataKey, []string{key})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			line = key + "=" + strings.ReplaceAll(fmt.Sprint(plain), "\n", `\n`)
		}
		out.WriteString(line + "\n")
	}
	return out.Bytes(), nil
}

// yaml opens a YAML file of one document.
func (k Keys) yaml(data []byte) ([]byte, error) {
	if json.Valid(data) {
		return nil, errors.New("encrypted JSON in a Secret is not opened; encrypt it with --input-type binary")
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("is no file that SOPS encrypts, though it has an encrypted value")
	}
	root := doc.Content[0]
	var block map[string]any
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != "sops" {
			continue
		}
		if err := root.Content[i+1].Decode(&block); err != nil {
			return nil, errors.New("sops: must be a mapping")
		}
		root.Content = append(root.Content[:i], root.Content[i+2:]...)
		break
	}
	if block == nil {
		return nil, errors.New("has an encrypted value and no sops block")
	}
	m := metadataOf(block)
	key, err := k.dataKey(m)
	if err != nil {
		return nil, err
	}
	if err := (opener{m, key}).node(root, nil); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(4)
	if err := encoder.Encode(&doc); err != nil {
		return nil, errors.New("cannot be written as YAML again")
	}
	return out.Bytes(), nil
}

// node opens what is encrypted in a node, in place. Encrypted comments go.
func (d opener) node(n *yaml.Node, path []string) error {
	for _, comment := range []*string{&n.HeadComment, &n.LineComment, &n.FootComment} {
		if strings.Contains(*comment, sealedPrefix) {
			*comment = ""
		}
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i]
			if err := d.node(name, nil); err != nil {
				return err
			}
			if err := d.node(n.Content[i+1], append(path[:len(path):len(path)], name.Value)); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := d.node(item, path); err != nil {
				return err
			}
		}
	case yaml.ScalarNode:
		if !sealed(n.Value) {
			return nil
		}
		plain, err := value(n.Value, d.key, path)
		if err != nil {
			return fmt.Errorf("%s: %w", strings.Join(path, "."), err)
		}
		comments := *n
		if err := n.Encode(plain); err != nil {
			return errors.New("cannot be written as YAML")
		}
		n.HeadComment, n.LineComment, n.FootComment = comments.HeadComment, comments.LineComment, comments.FootComment
	}
	return nil
}
