package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// DecodeJSON reads a value; its strings and keys are [Data], and objects keep
// their order.
func DecodeJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("offset %d: more than one value", d.InputOffset())
	}
	return v, nil
}

func decodeValue(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && depth > maxNesting {
		err = fmt.Errorf("values nested more than %d deep", maxNesting)
	}
	if err != nil {
		return nil, fmt.Errorf("offset %d: %w", d.InputOffset(), err)
	}
	switch t := t.(type) {
	case string:
		return Data(t), nil
	case json.Number:
		if i, err := strconv.ParseInt(string(t), 10, 64); err == nil {
			return i, nil
		}
		f, err := t.Float64()
		if err != nil {
			return nil, fmt.Errorf("offset %d: number %s is out of range", d.InputOffset(), t)
		}
		return f, nil
	case json.Delim:
		if t == '[' {
			return decodeList(d, depth)
		}
		return decodeDict(d, depth)
	}
	return t, nil // true, false or nil
}

func decodeList(d *json.Decoder, depth int) (any, error) {
	list := List{}
	for d.More() {
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, decodeEnd(d)
}

func decodeDict(d *json.Decoder, depth int) (any, error) {
	dict := &Dict{}
	for d.More() {
		k, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		v, err := decodeValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		key := k.(Text) // the decoder lets no other in
		dict.set("s"+key.String(), key, v)
	}
	return dict, decodeEnd(d)
}

// decodeEnd reads a closing bracket.
func decodeEnd(d *json.Decoder) error {
	_, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("offset %d: %w", d.InputOffset(), err)
	}
	return nil
}

// jsonStyle is how tojson writes.
type jsonStyle struct {
	indent      Text // of each level; nil for one line
	item, colon Text // separators
	ascii, sort bool
}

func toJSON(r *run, v any, a *arguments) any {
	args := a.take(r, "indent", "ensure_ascii", "separators", "sort_keys")
	style := jsonStyle{item: Written(", "), colon: Written(": "), ascii: truth(args[1]), sort: truth(args[3])}
	switch indent := args[0].(type) {
	case nil, undefined:
	case Text:
		style.indent = indent
		if indent == nil {
			style.indent = Text{}
		}
	default:
		style.indent = slices.Repeat(Text{' '}, r.times(1, int64(r.int(indent, 0))))
	}
	if style.indent != nil {
		style.item = Written(",")
	}
	if sep, ok := args[2].(List); ok {
		if len(sep) != 2 {
			r.fail("tojson wants two separators")
		}
		style.item, style.colon = r.text(sep[0]), r.text(sep[1])
	}
	return r.json(nil, v, &style, 0)
}

// json appends a value.
func (r *run) json(dst Text, v any, style *jsonStyle, depth int) Text {
	r.descend(depth)
	switch v := v.(type) {
	case nil:
		return append(dst, Written("null")...)
	case bool:
		return append(dst, Written(strconv.FormatBool(v))...)
	case int64:
		return append(dst, Written(strconv.FormatInt(v, 10))...)
	case float64:
		return append(dst, Written(jsonFloat(v))...)
	case Text:
		return r.jsonString(dst, v, style.ascii)
	case List:
		dst = append(dst, '[')
		for i, x := range v {
			dst = r.json(r.jsonItem(dst, style, i, depth+1), x, style, depth+1)
		}
		return append(r.jsonEnd(dst, style, len(v), depth), ']')
	case *Dict:
		at := make([]int, len(v.keys))
		for i := range at {
			at[i] = i
		}
		if style.sort {
			slices.SortStableFunc(at, func(i, j int) int { return r.order(v.keys[i], v.keys[j], 0) })
		}
		dst = append(dst, '{')
		for n, i := range at {
			dst = r.jsonItem(dst, style, n, depth+1)
			key, ok := v.keys[i].(Text)
			if !ok {
				key = r.json(nil, v.keys[i], style, depth+1)
			}
			r.spend(len(style.colon))
			dst = append(r.jsonString(dst, key, style.ascii), style.colon...)
			dst = r.json(dst, v.values[i], style, depth+1)
		}
		return append(r.jsonEnd(dst, style, len(v.keys), depth), '}')
	}
	r.fail("%s has no JSON form", kind(v))
	return nil
}

// jsonItem appends what stands before the i-th of a list or dict.
func (r *run) jsonItem(dst Text, style *jsonStyle, i, depth int) Text {
	if i > 0 {
		r.spend(len(style.item))
		dst = append(dst, style.item...)
	}
	return r.jsonLine(dst, style, depth)
}

// jsonEnd appends what stands before the closing bracket after n items.
func (r *run) jsonEnd(dst Text, style *jsonStyle, n, depth int) Text {
	if n == 0 {
		return dst
	}
	return r.jsonLine(dst, style, depth)
}

func (r *run) jsonLine(dst Text, style *jsonStyle, depth int) Text {
	if style.indent == nil {
		return dst
	}
	r.spend(depth * len(style.indent))
	return append(append(dst, '\n'), slices.Repeat(style.indent, depth)...)
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return formatFloat(f)
}

var jsonEscapes = map[rune]rune{'"': '"', '\\': '\\', '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f'}

func (r *run) jsonString(dst, t Text, ascii bool) Text {
	r.spend(len(t))
	dst = append(dst, '"')
	for _, c := range t {
		mark, u := c&dataMark, c&charMask
		switch e, ok := jsonEscapes[u]; {
		case ok:
			dst = append(dst, '\\'|mark, e|mark)
		case u < ' ' || ascii && u > '~' && u < 0x10000:
			dst = append(dst, decode(fmt.Sprintf(`\u%04x`, u), mark)...)
		case ascii && u > '~' && u <= utf8.MaxRune:
			u -= 0x10000
			dst = append(dst, decode(fmt.Sprintf(`\u%04x\u%04x`, 0xd800+u>>10, 0xdc00+u&0x3ff), mark)...)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
