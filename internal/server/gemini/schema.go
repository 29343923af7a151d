package gemini

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// schema is the API's own subset of OpenAPI's schemas.
type schema struct {
	Type             string          `json:"type" enum:"TYPE_UNSPECIFIED STRING NUMBER INTEGER BOOLEAN ARRAY OBJECT NULL"`
	Format           string          `json:"format"`
	Title            string          `json:"title"`
	Description      string          `json:"description"`
	Nullable         bool            `json:"nullable"`
	Enum             []string        `json:"enum"`
	Default          json.RawMessage `json:"default"`
	Items            *schema         `json:"items"`
	MinItems         *int64          `json:"minItems"`
	MaxItems         *int64          `json:"maxItems"`
	Properties       properties      `json:"properties"`
	Required         []string        `json:"required"`
	PropertyOrdering []string        `json:"propertyOrdering"`
	MinProperties    *int64          `json:"minProperties"`
	MaxProperties    *int64          `json:"maxProperties"`
	MinLength        *int64          `json:"minLength"`
	MaxLength        *int64          `json:"maxLength"`
	Pattern          string          `json:"pattern"`
	Minimum          *float64        `json:"minimum"`
	Maximum          *float64        `json:"maximum"`
	AnyOf            []*schema       `json:"anyOf"`

	// A schema of these would ask for more than what is enforced without them.
	OneOf            json.RawMessage `json:"oneOf" refuse:"use anyOf, or a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	AllOf            json.RawMessage `json:"allOf" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	Not              json.RawMessage `json:"not" refuse:"a schema says what may be, not what may not"`
	Ref              json.RawMessage `json:"$ref" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	Const            json.RawMessage `json:"const" refuse:"use enum, or a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	PrefixItems      json.RawMessage `json:"prefixItems" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	ExclusiveMinimum json.RawMessage `json:"exclusiveMinimum" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	ExclusiveMaximum json.RawMessage `json:"exclusiveMaximum" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	MultipleOf       json.RawMessage `json:"multipleOf" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`
	UniqueItems      json.RawMessage `json:"uniqueItems" refuse:"use a JSON schema (responseJsonSchema, parametersJsonSchema)"`

	AdditionalProperties json.RawMessage `json:"additionalProperties"`
}

// properties are an object's, in the order in which they stand.
type properties []property

type property struct {
	name   string
	schema *schema
}

func (p *properties) decode(d *decoder, tok json.Token) *fieldError {
	if tok != json.Delim('{') {
		return failf("it must be an object")
	}
	*p = properties{}
	for {
		tok, err := d.token()
		if err != nil {
			return err
		}
		if tok == json.Delim('}') {
			return nil
		}
		name := tok.(string) // the decoder allows no other
		if tok, err = d.token(); err != nil {
			return err
		}
		s := new(schema)
		if err := d.value(tok, reflect.ValueOf(s).Elem(), nil); err != nil {
			return err.in(name)
		}
		*p = append(*p, property{name, s})
	}
}

// jsonSchema writes the schema as a JSON schema; at is where it stands in the request.
func (s *schema) jsonSchema(at string) (json.RawMessage, error) {
	w := &schemaWriter{}
	if err := w.schema(s, at); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}

type schemaWriter struct {
	bytes.Buffer
}

// key begins a member of the object that is being written.
func (w *schemaWriter) key(name string) {
	if b := w.Bytes(); b[len(b)-1] != '{' {
		w.WriteByte(',')
	}
	w.json(name)
	w.WriteByte(':')
}

func (w *schemaWriter) member(name string, v any) {
	w.key(name)
	w.json(v)
}

func (w *schemaWriter) json(v any) {
	data, err := json.Marshal(v)
	if err != nil { // strings and finite numbers only
		panic("gemini: " + err.Error())
	}
	w.Write(data)
}

func (w *schemaWriter) schema(s *schema, at string) error {
	w.WriteByte('{')
	typ := strings.ToLower(s.Type)
	if typ == "type_unspecified" {
		typ = ""
	}
	switch {
	case typ != "" && s.Nullable && typ != "null":
		w.member("type", []string{typ, "null"})
	case typ != "":
		w.member("type", typ)
	}
	for _, m := range []struct{ name, text string }{{"title", s.Title}, {"description", s.Description}, {"pattern", s.Pattern}} {
		if m.text != "" {
			w.member(m.name, m.text)
		}
	}
	// "enum" as a format only says that there is one; of numbers it says how many bits.
	if s.Format != "" && s.Format != "enum" && (typ == "string" || typ == "integer") {
		w.member("format", s.Format)
	}
	if len(s.Default) > 0 {
		w.key("default")
		w.Write(s.Default)
	}
	if err := w.enum(s, typ, at); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		n    *int64
	}{
		{"minItems", s.MinItems}, {"maxItems", s.MaxItems}, {"minLength", s.MinLength}, {"maxLength", s.MaxLength},
		{"minProperties", s.MinProperties}, {"maxProperties", s.MaxProperties},
	} {
		if m.n != nil {
			w.member(m.name, *m.n)
		}
	}
	if s.Minimum != nil {
		w.member("minimum", *s.Minimum)
	}
	if s.Maximum != nil {
		w.member("maximum", *s.Maximum)
	}
	if s.Items != nil {
		w.key("items")
		if err := w.schema(s.Items, at+".items"); err != nil {
			return err
		}
	}
	if err := w.properties(s, at); err != nil {
		return err
	}
	if err := w.anyOf(s, typ, at); err != nil {
		return err
	}
	w.WriteByte('}')
	return nil
}

// enum writes the values, which the API gives as strings whatever their type is.
func (w *schemaWriter) enum(s *schema, typ, at string) error {
	if len(s.Enum) == 0 {
		return nil
	}
	w.key("enum")
	w.WriteByte('[')
	for i, e := range s.Enum {
		if i > 0 {
			w.WriteByte(',')
		}
		if typ != "integer" && typ != "number" {
			w.json(e)
			continue
		}
		if _, err := strconv.ParseFloat(e, 64); err != nil || !json.Valid([]byte(e)) {
			return invalid(at+".enum["+strconv.Itoa(i)+"]", "%q is no %s", clip(e), typ)
		}
		w.WriteString(e)
	}
	if s.Nullable {
		w.WriteString(",null")
	}
	w.WriteByte(']')
	return nil
}

func (w *schemaWriter) properties(s *schema, at string) error {
	has := make(map[string]bool, len(s.Properties))
	for _, p := range s.Properties {
		if has[p.name] {
			return invalid(at+".properties", "%q is there twice", clip(p.name))
		}
		has[p.name] = true
	}
	for i, name := range s.Required {
		if !has[name] {
			return invalid(at+".required["+strconv.Itoa(i)+"]", "%q is not among the properties", clip(name))
		}
	}
	place := make(map[string]int, len(s.PropertyOrdering))
	for i, name := range s.PropertyOrdering {
		place[name] = i - len(s.PropertyOrdering) // below 0, which the others have
		if !has[name] {
			return invalid(at+".propertyOrdering["+strconv.Itoa(i)+"]", "%q is not among the properties", clip(name))
		}
	}
	if s.Properties != nil {
		w.key("properties")
		w.WriteByte('{')
		// Answers have properties in the schema's order: those that propertyOrdering
		// has come first, as it says.
		sorted := slices.Clone(s.Properties)
		slices.SortStableFunc(sorted, func(a, b property) int { return place[a.name] - place[b.name] })
		for _, p := range sorted {
			w.key(p.name)
			if err := w.schema(p.schema, at+".properties."+p.name); err != nil {
				return err
			}
		}
		w.WriteByte('}')
	}
	if len(s.Required) > 0 {
		w.member("required", s.Required)
	}
	if len(s.AdditionalProperties) > 0 {
		w.key("additionalProperties")
		w.Write(s.AdditionalProperties)
	}
	return nil
}

func (w *schemaWriter) anyOf(s *schema, typ, at string) error {
	if len(s.AnyOf) == 0 {
		if s.Nullable && typ == "" {
			w.member("nullable", true)
		}
		return nil
	}
	w.key("anyOf")
	w.WriteByte('[')
	for i, a := range s.AnyOf {
		if i > 0 {
			w.WriteByte(',')
		}
		if err := w.schema(a, at+".anyOf["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	if s.Nullable {
		w.WriteString(`,{"type":"null"}`)
	}
	w.WriteByte(']')
	return nil
}
