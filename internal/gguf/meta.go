package gguf

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// Meta is a file's metadata. Getters accept every numeric type that holds the
// value exactly.
type Meta struct {
	file   string
	values map[string]any
}

// Has says whether key is there.
func (m Meta) Has(key string) bool { _, ok := m.values[key]; return ok }

// Value returns the raw value of key, or nil.
func (m Meta) Value(key string) any { return m.values[key] }

// Keys returns all keys, sorted.
func (m Meta) Keys() []string { return slices.Sorted(maps.Keys(m.values)) }

func (m Meta) mismatch(key, want string) error {
	if v, ok := m.values[key]; ok {
		return fmt.Errorf("gguf: %s: metadata %q is %T, want %s", m.file, key, v, want)
	}
	return fmt.Errorf("gguf: %s: no metadata %q", m.file, key)
}

func get[T any](m Meta, key, want string) (T, error) {
	v, ok := m.values[key].(T)
	if !ok {
		return v, m.mismatch(key, want)
	}
	return v, nil
}

// String returns a string.
func (m Meta) String(key string) (string, error) { return get[string](m, key, "a string") }

// Bool returns a boolean.
func (m Meta) Bool(key string) (bool, error) { return get[bool](m, key, "a boolean") }

// Strings returns an array of strings.
func (m Meta) Strings(key string) ([]string, error) {
	return get[[]string](m, key, "an array of strings")
}

// Float32s returns an array of float32.
func (m Meta) Float32s(key string) ([]float32, error) {
	return get[[]float32](m, key, "an array of float32")
}

// Uint64 returns a non-negative integer.
func (m Meta) Uint64(key string) (uint64, error) {
	n := int64(-1)
	switch v := m.values[key].(type) {
	case uint64:
		return v, nil
	case uint8:
		n = int64(v)
	case uint16:
		n = int64(v)
	case uint32:
		n = int64(v)
	case int8:
		n = int64(v)
	case int16:
		n = int64(v)
	case int32:
		n = int64(v)
	case int64:
		n = v
	}
	if n < 0 {
		return 0, m.mismatch(key, "a non-negative integer")
	}
	return uint64(n), nil
}

// Uint32 returns a non-negative integer below 2³².
func (m Meta) Uint32(key string) (uint32, error) {
	v, err := m.Uint64(key)
	if err == nil && v > math.MaxUint32 {
		err = fmt.Errorf("gguf: %s: metadata %q is %d, want less than 2³²", m.file, key, v)
	}
	return uint32(v), err
}

// Float32 returns a float32 or float64 as float32.
func (m Meta) Float32(key string) (float32, error) {
	switch v := m.values[key].(type) {
	case float32:
		return v, nil
	case float64:
		return float32(v), nil
	}
	return 0, m.mismatch(key, "a float")
}

// Ints returns an array of integers of any width, if each fits an int.
func (m Meta) Ints(key string) ([]int, error) {
	switch v := m.values[key].(type) {
	case []uint8:
		return ints(m, key, v)
	case []int8:
		return ints(m, key, v)
	case []uint16:
		return ints(m, key, v)
	case []int16:
		return ints(m, key, v)
	case []uint32:
		return ints(m, key, v)
	case []int32:
		return ints(m, key, v)
	case []uint64:
		return ints(m, key, v)
	case []int64:
		return ints(m, key, v)
	}
	return nil, m.mismatch(key, "an array of integers")
}

func ints[T uint8 | int8 | uint16 | int16 | uint32 | int32 | uint64 | int64](m Meta, key string, v []T) ([]int, error) {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
		if T(out[i]) != x || (out[i] < 0) != (x < 0) {
			return nil, fmt.Errorf("gguf: %s: metadata %q: element %d is %d, too large here", m.file, key, i, x)
		}
	}
	return out, nil
}
