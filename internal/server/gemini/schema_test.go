package gemini

import (
	"reflect"
	"strings"
	"testing"
)

func TestSchemas(t *testing.T) {
	for _, c := range []struct{ from, want string }{
		{`{}`, `{}`},
		{`{"type":"STRING"}`, `{"type":"string"}`},
		{`{"type":"string","format":"enum","enum":["a","b"]}`, `{"type":"string","enum":["a","b"]}`},
		{`{"type":1,"nullable":true,"enum":["a"],"format":"date"}`, `{"type":["string","null"],"format":"date","enum":["a",null]}`},
		{`{"type":"INTEGER","format":"int64","enum":["1","2"],"minimum":1,"maximum":2.5}`, `{"type":"integer","format":"int64","enum":[1,2],"minimum":1,"maximum":2.5}`},
		{`{"type":"NUMBER","format":"double"}`, `{"type":"number"}`},
		{`{"type":"ARRAY","items":{"type":"BOOLEAN"},"minItems":"1","max_items":3}`, `{"type":"array","minItems":1,"maxItems":3,"items":{"type":"boolean"}}`},
		{`{"type":"OBJECT","properties":{"b":{"type":"STRING","description":"d"},"a":{"type":"NULL"},"c":{}},"propertyOrdering":["c","a"],"required":["a"],"title":"t","additionalProperties":false}`,
			`{"type":"object","title":"t","properties":{"c":{},"a":{"type":"null"},"b":{"type":"string","description":"d"}},"required":["a"],"additionalProperties":false}`},
		{`{"properties":{"snake_case":{"minLength":1,"maxLength":"2","pattern":"a+"}}}`, `{"properties":{"snake_case":{"pattern":"a+","minLength":1,"maxLength":2}}}`},
		{`{"anyOf":[{"type":"STRING"},{"type":"INTEGER"}],"nullable":true}`, `{"anyOf":[{"type":"string"},{"type":"integer"},{"type":"null"}]}`},
		{`{"nullable":true,"default":{"a":[1]},"example":"x"}`, `{"default":{"a":[1]},"nullable":true}`},
		{`{"type":"OBJECT","properties":{},"minProperties":0,"maxProperties":"1"}`, `{"type":"object","minProperties":0,"maxProperties":1,"properties":{}}`},
		{`{"type":"TYPE_UNSPECIFIED"}`, `{}`},
	} {
		var r struct {
			Schema *schema `json:"schema"`
		}
		if err := readJSON(strings.NewReader(`{"schema":`+c.from+`}`), &r, false); err != nil {
			t.Errorf("%s: %v", c.from, err)
			continue
		}
		got, err := r.Schema.jsonSchema("schema")
		if err != nil || string(got) != c.want {
			t.Errorf("%s is\n%s %v, want\n%s", c.from, got, err, c.want)
		}
	}
}

// TestSchemasAreTheSameEachTime keeps prompts that hold a schema alike, so that what was
// read of them is found again.
func TestSchemasAreTheSameEachTime(t *testing.T) {
	s := &schema{Title: "t", Description: "d", Pattern: "p", MinItems: new(int64), MaxItems: new(int64), MinLength: new(int64), Minimum: new(float64), Maximum: new(float64)}
	first, err := s.jsonSchema("")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if again, _ := s.jsonSchema(""); !reflect.DeepEqual(first, again) {
			t.Fatalf("%s and %s", first, again)
		}
	}
}

func TestBadSchemas(t *testing.T) {
	for from, field := range map[string]string{
		`{"required":["x"]}`: "s.required[0]",
		`{"properties":{"a":{}},"propertyOrdering":["a","b"]}`: "s.propertyOrdering[1]",
		`{"properties":{"a":{},"a":{}}}`:                       "s.properties",
		`{"items":{"type":"NUMBER","enum":["0x1"]}}`:           "s.items.enum[0]",
		`{"anyOf":[{},{"required":["x"]}]}`:                    "s.anyOf[1].required[0]",
	} {
		var r struct {
			Schema *schema `json:"schema"`
		}
		if err := readJSON(strings.NewReader(`{"schema":`+from+`}`), &r, false); err != nil {
			t.Errorf("%s: %v", from, err)
			continue
		}
		if _, err := r.Schema.jsonSchema("s"); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: %v, want an error about %s", from, err, field)
		}
	}
}
