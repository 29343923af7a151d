package sample

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is a JSON value that knows where it stands and keeps the order of its
// members.
type value struct {
	at string // JSON pointer
	v  any    // object, []*value, string, json.Number, bool or nil
}

type object []member

type member struct {
	key string
	val *value
}

const (
	maxSchema     = 1 << 18 // bytes
	maxSchemaNest = 256
)

// SchemaError says what in a schema is wrong or not supported.
type SchemaError struct {
	Pointer string // JSON pointer to it, "" for the whole
	Reason  string
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("sample: schema at #%s: %s", e.Pointer, e.Reason)
}

func (v *value) errorf(format string, args ...any) error {
	return &SchemaError{v.at, fmt.Sprintf(format, args...)}
}

func parseValue(text []byte) (*value, error) {
	root := &value{}
	if len(text) > maxSchema {
		return nil, root.errorf("%d bytes, want at most %d", len(text), maxSchema)
	}
	if !utf8.Valid(text) {
		return nil, root.errorf("it is not UTF-8")
	}
	var check json.RawMessage
	if err := json.Unmarshal(text, &check); err != nil {
		return nil, root.errorf("it is not JSON: %v", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return root, root.read(dec, 0)
}

func (v *value) read(dec *json.Decoder, nest int) error {
	if nest > maxSchemaNest {
		return v.errorf("it nests deeper than %d", maxSchemaNest)
	}
	tok, err := dec.Token()
	if err != nil {
		return v.errorf("it is not JSON: %v", err)
	}
	switch tok {
	case json.Delim('{'):
		return v.readObject(dec, nest)
	case json.Delim('['):
		list := []*value{}
		for dec.More() {
			e := &value{at: v.at + "/" + strconv.Itoa(len(list))}
			if err := e.read(dec, nest+1); err != nil {
				return err
			}
			list = append(list, e)
		}
		v.v = list
		_, err = dec.Token()
		return err
	}
	v.v = tok
	return nil
}

func (v *value) readObject(dec *json.Decoder, nest int) error {
	obj := object{}
	seen := make(map[string]bool)
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return v.errorf("it is not JSON: %v", err)
		}
		key, _ := tok.(string)
		e := &value{at: v.at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)}
		if seen[key] {
			return e.errorf("the key occurs twice")
		}
		seen[key] = true
		if err := e.read(dec, nest+1); err != nil {
			return err
		}
		obj = append(obj, member{key, e})
	}
	v.v = obj
	_, err := dec.Token()
	return err
}

// get is the member of an object, nil if there is none.
func (v *value) get(key string) *value {
	obj, _ := v.v.(object)
	for _, m := range obj {
		if m.key == key {
			return m.val
		}
	}
	return nil
}

// index finds members by key.
func (o object) index() map[string]*value {
	m := make(map[string]*value, len(o))
	for _, e := range o {
		m[e.key] = e.val
	}
	return m
}

// encode appends the value as compact JSON.
func (v *value) encode(dst []byte) []byte {
	switch x := v.v.(type) {
	case object:
		dst = append(dst, '{')
		for i, m := range x {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, m.key), ':')
			dst = m.val.encode(dst)
		}
		return append(dst, '}')
	case []*value:
		dst = append(dst, '[')
		for i, e := range x {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.encode(dst)
		}
		return append(dst, ']')
	case string:
		return appendString(dst, x)
	case json.Number:
		return append(dst, x...)
	case bool:
		return strconv.AppendBool(dst, x)
	}
	return append(dst, "null"...)
}

// appendString appends s as a JSON string that escapes only what it must.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, '\\', 'n')
		case r == '\t':
			dst = append(dst, '\\', 't')
		case r == '\r':
			dst = append(dst, '\\', 'r')
		case r < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, r)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// The readers of a schema's members; each refuses another type.

func (v *value) str() (string, error) {
	s, ok := v.v.(string)
	if !ok {
		return "", v.errorf("want a string")
	}
	return s, nil
}

func (v *value) boolean() (bool, error) {
	b, ok := v.v.(bool)
	if !ok {
		return false, v.errorf("want true or false")
	}
	return b, nil
}

func (v *value) list() ([]*value, error) {
	l, ok := v.v.([]*value)
	if !ok {
		return nil, v.errorf("want an array")
	}
	return l, nil
}

func (v *value) strings() ([]string, error) {
	l, err := v.list()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(l))
	for i, e := range l {
		if out[i], err = e.str(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// count reads a length. Gemini writes 64-bit integers as strings.
func (v *value) count() (int, error) {
	var text string
	switch x := v.v.(type) {
	case json.Number:
		text = x.String()
	case string:
		text = x
	}
	n, err := strconv.ParseUint(text, 10, 30)
	if err != nil {
		return 0, v.errorf("want a whole number from 0 to %d", 1<<30-1)
	}
	return int(n), nil
}
