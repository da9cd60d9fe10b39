package sops

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// sealedPrefix begins every encrypted value.
const sealedPrefix = "ENC[AES256_GCM,"

var sealedValue = regexp.MustCompile(`^ENC\[AES256_GCM,data:([^,]*),iv:([^,]+),tag:([^,]+),type:([a-z]+)\]$`)

var errChanged = errors.New("does not open: it was changed, moved or renamed after it was encrypted, or belongs to another file")

func sealed(text string) bool { return strings.HasPrefix(text, sealedPrefix) }

// value opens one value at its path. A text, number or truth value results, as it was before.
func value(text string, key []byte, path []string) (any, error) {
	parts := sealedValue.FindStringSubmatch(text)
	if parts == nil {
		return nil, errChanged
	}
	var raw [3][]byte
	for i := range raw {
		var err error
		if raw[i], err = base64.StdEncoding.DecodeString(parts[i+1]); err != nil {
			return nil, errChanged
		}
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	sealer, err := cipher.NewGCMWithNonceSize(block, len(raw[1]))
	if err != nil {
		return nil, errChanged
	}
	plain, err := sealer.Open(nil, raw[1], slices.Concat(raw[0], raw[2]), []byte(strings.Join(path, ":")+":"))
	if err != nil {
		return nil, errChanged
	}
	return typed(string(plain), parts[4])
}

func typed(plain, kind string) (any, error) {
	switch kind {
	case "int":
		n, err := strconv.ParseInt(plain, 10, 64)
		if err != nil {
			return nil, errors.New("is no whole number of 64 bits") // the library's error shows it
		}
		return n, nil
	case "float":
		n, err := strconv.ParseFloat(plain, 64)
		if err != nil {
			return nil, errors.New("is no number")
		}
		return n, nil
	case "bool":
		return strings.EqualFold(plain, "true"), nil
	}
	return plain, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
