package gemini

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// maxDepth bounds how deep a body's known fields nest; only schemas nest at will.
const maxDepth = 100

// decoder reads proto JSON into structs, in one pass.
type decoder struct {
	*json.Decoder
	depth int
}

// fieldError is what is wrong with a field. Its path grows on the way out.
type fieldError struct {
	path string
	msg  string
	kind backend.Kind
	err  error // of the JSON or its reader
}

func failf(msg string) *fieldError { return &fieldError{msg: msg, kind: backend.Invalid} }

// in says that the error is in a part of something bigger.
func (e *fieldError) in(name string) *fieldError {
	switch {
	case e == nil:
		return nil
	case e.path == "" || e.path[0] == '[':
		e.path = name + e.path
	default:
		e.path = name + "." + e.path
	}
	return e
}

// custom is a type with a form of its own.
type custom interface {
	decode(d *decoder, tok json.Token) *fieldError
}

// readBody decodes a request's body, which must be one JSON object or empty, if that is
// allowed, into the struct that v points to. It reads to the end, without which the
// context of a request does not notice that a client leaves.
func (h *handler) readBody(w http.ResponseWriter, r *http.Request, v any, mayBeEmpty bool) error {
	return readJSON(http.MaxBytesReader(w, r.Body, h.maxBody), v, mayBeEmpty)
}

func readJSON(r io.Reader, v any, mayBeEmpty bool) error {
	d := &decoder{Decoder: json.NewDecoder(r)}
	d.UseNumber()
	tok, err := d.Token()
	if err == io.EOF {
		if mayBeEmpty {
			return nil
		}
		return backend.Errorf(backend.Invalid, "the body is empty; a JSON object is expected")
	}
	if err != nil {
		return bodyError(err)
	}
	if tok != json.Delim('{') {
		return backend.Errorf(backend.Invalid, "the body is not a JSON object")
	}
	if e := d.value(tok, reflect.ValueOf(v).Elem(), nil); e != nil {
		if e.err != nil {
			return bodyError(e.err)
		}
		return fieldErrorf(e.kind, e.path, "%s", e.msg)
	}
	if _, err := d.Token(); err != io.EOF {
		if err == nil {
			return backend.Errorf(backend.Invalid, "the body goes on behind its JSON object, at byte %d", d.InputOffset())
		}
		return bodyError(err)
	}
	return nil
}

// bodyError says why a body could not be read.
func bodyError(err error) error {
	var be *backend.Error
	var tooLarge *http.MaxBytesError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &be): // of who bounds bodies: too large, too slow, broken off
		return be
	case errors.As(err, &tooLarge):
		return backend.Errorf(backend.TooLarge, "the body is larger than %d bytes; upload large files by /upload/v1beta/files", tooLarge.Limit)
	case errors.As(err, &syntax):
		return backend.Errorf(backend.Invalid, "the body is not valid JSON: byte %d: %s", syntax.Offset, syntax.Error())
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return backend.Errorf(backend.Invalid, "the body is not valid JSON: it ends too early")
	}
	return &backend.Error{Kind: backend.Invalid, Message: "the body could not be read", Err: err}
}

// token reads the next token.
func (d *decoder) token() (json.Token, *fieldError) {
	tok, err := d.Token()
	if err != nil {
		return nil, &fieldError{err: err}
	}
	return tok, nil
}

// raw reads the next value as it stands.
func (d *decoder) raw() (json.RawMessage, *fieldError) {
	var m json.RawMessage
	if err := d.Decode(&m); err != nil {
		return nil, &fieldError{err: err}
	}
	return m, nil
}

var (
	bytesType    = reflect.TypeFor[[]byte]()
	rawType      = reflect.TypeFor[json.RawMessage]()
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
)

// value decodes the value that begins with tok into v; enum lists the names v may have.
func (d *decoder) value(tok json.Token, v reflect.Value, enum []string) *fieldError {
	if tok == nil {
		return nil // null is the default
	}
	if d.depth++; d.depth > maxDepth {
		return failf("it nests too deep: " + strconv.Itoa(maxDepth) + " levels are allowed")
	}
	defer func() { d.depth-- }()
	if c, ok := v.Addr().Interface().(custom); ok {
		return c.decode(d, tok)
	}
	switch v.Type() {
	case bytesType:
		return decodeBytes(tok, v)
	case durationType:
		return decodeDuration(tok, v)
	case timeType:
		return decodeTime(tok, v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return d.value(tok, v.Elem(), enum)
	case reflect.Struct:
		return d.object(tok, v)
	case reflect.Slice:
		return d.list(tok, v, enum)
	case reflect.String:
		return decodeString(tok, v, enum)
	case reflect.Bool:
		b, ok := tok.(bool)
		if !ok {
			return failf("it must be true or false")
		}
		v.SetBool(b)
	case reflect.Int32, reflect.Int64:
		return decodeInt(tok, v)
	case reflect.Float64:
		return decodeFloat(tok, v)
	default:
		panic("gemini: no way to decode a " + v.Type().String())
	}
	return nil
}

func (d *decoder) list(tok json.Token, v reflect.Value, enum []string) *fieldError {
	if tok != json.Delim('[') {
		// The public API takes one value for a list of one, and its documentation
		// writes "parts": {"text": …}.
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(tok, e, enum); err != nil {
			return err
		}
		v.Set(reflect.Append(v, e))
		return nil
	}
	v.SetLen(0)
	for i := 0; ; i++ {
		tok, err := d.token()
		if err != nil {
			return err
		}
		at := "[" + strconv.Itoa(i) + "]"
		switch tok {
		case json.Delim(']'):
			return nil
		case nil:
			return failf("it is null").in(at)
		}
		e := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(tok, e, enum); err != nil {
			return err.in(at)
		}
		v.Set(reflect.Append(v, e))
	}
}

// field describes a field of a wire struct, by its tags: json is its name, enum the names
// that it may have, refuse why it is not supported.
type field struct {
	index  int
	name   string
	enum   []string
	refuse string
	raw    bool
}

// fields are those of a struct by both spellings.
type fields struct {
	byName  map[string]*field
	unknown int // index of the field that collects unknown names, or −1
}

var fieldCache sync.Map // of reflect.Type to *fields

func fieldsOf(t reflect.Type) *fields {
	if f, ok := fieldCache.Load(t); ok {
		return f.(*fields)
	}
	fs := &fields{byName: make(map[string]*field), unknown: -1}
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("json")
		switch name {
		case "":
			continue
		case "*":
			fs.unknown = i
			continue
		}
		f := &field{index: i, name: name, enum: strings.Fields(sf.Tag.Get("enum")), refuse: sf.Tag.Get("refuse"), raw: sf.Type == rawType}
		fs.byName[name], fs.byName[snake(name)] = f, f
	}
	actual, _ := fieldCache.LoadOrStore(t, fs)
	return actual.(*fields)
}

// snake turns lowerCamelCase into snake_case.
func snake(name string) string {
	var b strings.Builder
	for _, r := range name {
		if 'A' <= r && r <= 'Z' {
			b.WriteByte('_')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

func (d *decoder) object(tok json.Token, v reflect.Value) *fieldError {
	if tok != json.Delim('{') {
		return failf("it must be an object")
	}
	fs := fieldsOf(v.Type())
	for {
		tok, err := d.token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		key := tok.(string) // the decoder allows no other
		f := fs.byName[key]
		if f == nil {
			m, err := d.raw()
			if err != nil {
				return err
			}
			if fs.unknown >= 0 && string(m) != "null" {
				u := v.Field(fs.unknown)
				u.Set(reflect.Append(u, reflect.ValueOf(key)))
			}
			continue
		}
		if err := d.field(f, v.Field(f.index)); err != nil {
			return err.in(f.name)
		}
	}
}

func (d *decoder) field(f *field, v reflect.Value) *fieldError {
	if !f.raw {
		tok, err := d.token()
		if err != nil {
			return err
		}
		return d.value(tok, v, f.enum)
	}
	m, err := d.raw()
	if err != nil || string(m) == "null" {
		return err
	}
	if f.refuse != "" && string(m) != "false" {
		return &fieldError{msg: "it is not supported: " + f.refuse, kind: backend.Unsupported}
	}
	v.SetBytes(m)
	return nil
}

func decodeString(tok json.Token, v reflect.Value, enum []string) *fieldError {
	s, ok := tok.(string)
	if n, isNumber := tok.(json.Number); isNumber && len(enum) > 0 {
		i, err := strconv.Atoi(n.String())
		if err != nil || i < 0 || i >= len(enum) {
			return failf("it must be one of " + strings.Join(enum, ", "))
		}
		s, ok = enum[i], true
	}
	if !ok {
		return failf("it must be a string")
	}
	if len(enum) > 0 {
		s = strings.ToUpper(s) // older SDKs write types in lower case
		if !slices.Contains(enum, s) {
			return failf("it is " + strconv.Quote(clip(s)) + ", and must be one of " + strings.Join(enum, ", "))
		}
	}
	v.SetString(s)
	return nil
}

// clip shortens what a client sent, for an error.
func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// number is the digits of a number, which proto JSON also writes as a string.
func number(tok json.Token) (string, bool) {
	switch n := tok.(type) {
	case json.Number:
		return n.String(), true
	case string:
		return n, true
	}
	return "", false
}

func decodeInt(tok json.Token, v reflect.Value) *fieldError {
	s, ok := number(tok)
	if !ok {
		return failf("it must be a number")
	}
	n, err := strconv.ParseInt(s, 10, v.Type().Bits())
	if err != nil {
		// 1.0 and 1e3 are whole numbers too.
		f, ferr := strconv.ParseFloat(s, 64)
		limit := math.Ldexp(1, v.Type().Bits()-1)
		if ferr != nil || f != math.Trunc(f) || f < -limit || f >= limit {
			return failf("it must be a whole number of " + strconv.Itoa(v.Type().Bits()) + " bits")
		}
		n = int64(f)
	}
	v.SetInt(n)
	return nil
}

func decodeFloat(tok json.Token, v reflect.Value) *fieldError {
	s, ok := number(tok)
	if !ok {
		return failf("it must be a number")
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return failf("it must be a finite number")
	}
	v.SetFloat(f)
	return nil
}

func decodeBytes(tok json.Token, v reflect.Value) *fieldError {
	s, ok := tok.(string)
	if !ok {
		return failf("it must be a string of base64")
	}
	enc := base64.RawStdEncoding
	if strings.ContainsAny(s, "-_") {
		enc = base64.RawURLEncoding
	}
	data, err := enc.DecodeString(strings.TrimRight(s, "=\r\n"))
	if err != nil {
		if strings.HasPrefix(s, "data:") {
			return failf("it is a data URL; only what follows its comma belongs here")
		}
		return failf("it is not base64: " + err.Error())
	}
	v.SetBytes(data)
	return nil
}

func decodeDuration(tok json.Token, v reflect.Value) *fieldError {
	s, _ := tok.(string)
	n, isSeconds := strings.CutSuffix(s, "s")
	// ParseDuration knows other units; a leading sign or a second number it would take
	// is none of a duration's.
	d, err := time.ParseDuration(s)
	if !isSeconds || err != nil || strings.Trim(n, "-0123456789.") != "" {
		return failf(`it must be a duration in seconds, like "1.5s"`)
	}
	v.SetInt(int64(d))
	return nil
}

func decodeTime(tok json.Token, v reflect.Value) *fieldError {
	s, _ := tok.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return failf(`it must be a time like "2026-11-30T12:00:00Z"`)
	}
	v.Set(reflect.ValueOf(t))
	return nil
}
