package sample

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// bytesOnly is a vocabulary of the 256 bytes; token 256 ends an answer.
var bytesOnly = NewTokenTrie(257, func(id int32) []byte {
	if id == 256 {
		return nil
	}
	return []byte{byte(id)}
})

// follow says how far a schema lets a text be written, and whether it may end there.
func follow(t *testing.T, s *Schema, answer string) (n int, complete bool) {
	t.Helper()
	c, err := NewConstraint(s, bytesOnly, []int32{256})
	if err != nil {
		t.Fatal(err)
	}
	for n = range len(answer) {
		if !c.Allowed(int32(answer[n])) {
			return n, false
		}
		if err := c.Accept(int32(answer[n])); err != nil {
			t.Fatal(err)
		}
	}
	return len(answer), c.Allowed(256)
}

func TestGrammar(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for _, c := range []struct {
		schema string
		yes    string // separated by " ~ "
		no     string // may not be written, or not end there
	}{
		{`{}`, `1 ~ "a" ~ null ~ true ~ [] ~ {} ~ {"a": [1, 2.5e-3], "": {}} ~ -0.5 ~ ` + deep,
			`01 ~ tru ~ [1,] ~ {"a"} ~ {a:1} ~ {,} ~ 1. ~ .5 ~ 1e ~ + ~ [` + deep + `] ~ [1 ,2] ~ "` + "\n" + `" ~ 1e400 ~ ` + strings.Repeat("1", 21)},
		{`{}`, "[\n  1,\n  2\n] ~ {\n\t\"a\": 1\n}", "[\n\n1] ~ [  1] ~ [\n     1] ~ {\"a\":  1} ~ [1 "},
		{`{"type":"string"}`, `"" ~ "é𝄞\n\u00e9\uD834\uDD1e\/\b\f" ~ "\ud7ff\ue000\u0000"`,
			`"\ud800" ~ "\ud834\u0041" ~ "\udc00" ~ "\ud834x" ~ "\x" ~ 1 ~ "a ~ "` + "\xed\xa0\x80" + `" ~ "` + "\xc0\x80" + `" ~ "` + "\xe0\x80\x80" + `" ~ "` + "\xf4\x90\x80\x80" + `" ~ "` + "\xff" + `"`},
		{`{"type":"string","minLength":2,"maxLength":3}`, `"ab" ~ "é𝄞x" ~ "\ud834\udd1ea"`, `"a" ~ "abcd" ~ "\ud834\udd1e"`},
		{`{"type":"string","pattern":"^a+$"}`, `"a" ~ "aa" ~ "\u0061a"`, `"" ~ "ab" ~ "\u0062" ~ "é"`},
		{`{"type":"string","pattern":"b"}`, `"b" ~ "abc" ~ "\u0062"`, `"" ~ "aa"`},
		{`{"type":"string","pattern":"^.$"}`, `"é" ~ "\u0000"`, `"\n" ~ "\r" ~ "\u2028" ~ "ab"`},
		{`{"type":"string","pattern":"^\\S\\s$"}`, `"a\u00a0" ~ "a "`, `"\u00a0 " ~ "ab"`},
		{`{"type":"string","pattern":"^[\\w\\-\\s]+$"}`, `"a-\n" ~ "\t\u2009\ufeff"`, `"," ~ ""`},
		{`{"type":"string","pattern":"^[\\s\\S]$"}`, `"a" ~ "\u00a0" ~ "𝄞" ~ "\n"`, `"" ~ "ab"`},
		{`{"type":"string","pattern":"^[-\\s]+[\\s-.]$"}`, `"- -" ~ "\t."`, `"a." ~ "-/"`},
		{`{"type":"string","pattern":"^[^a-y]$|^$"}`, `"z" ~ "" ~ "\ud834\udd1e"`, `"b" ~ "zz"`},
		{`{"type":"string","pattern":"^\\u00e9[\\]\\b]\\/\\p{Lu}{2}$"}`, `"é]/ÄB" ~ "é\b/AB"`, `"é]/äB"`},
		{`{"type":"string","pattern":"^(ab?)*$","minLength":3,"maxLength":4}`, `"aba" ~ "aaaa"`, `"ab" ~ "ababa" ~ "b"`},
		{`{"type":"STRING","format":"date"}`, `"2024-02-29" ~ "2000-02-29"`, `"2023-02-29" ~ "1900-02-29" ~ "2023-04-31" ~ "2023-13-01"`},
		{`{"type":"string","format":"date-time"}`, `"2024-02-29T23:59:59.5Z" ~ "2024-01-01T00:00:00+05:30"`, `"2024-02-29 23:59:59Z" ~ "2024-01-01T24:00:00Z"`},
		{`{"type":"string","format":"uuid"}`, `"123e4567-e89b-12d3-a456-426614174000"`, `"123e4567"`},
		{`{"type":"string","format":"email"}`, `"a.b+c@x-y.example"`, `".a@b.c" ~ "a@b" ~ "a..b@c.d" ~ "a@-b.c"`},
		{`{"type":"string","format":"ipv6"}`, `"::" ~ "::1" ~ "fe80::1:2" ~ "1:2:3:4:5:6:7:8" ~ "1:2:3:4:5:6:7::"`, `"1:2" ~ ":::" ~ "1:2:3:4:5:6:7:8:9" ~ "1::2::3"`},
		{`{"type":"string","format":"ipv4"}`, `"0.10.255.1"`, `"256.0.0.1" ~ "01.2.3.4" ~ "1.2.3"`},
		{`{"type":"string","format":"duration"}`, `"P1Y2M3DT4H5M6S" ~ "PT5M" ~ "P2W"`, `"P" ~ "PT" ~ "P1D2Y" ~ "P1YT"`},
		{`{"type":"string","format":"hostname"}`, `"a" ~ "a-b.c"`, `"-a" ~ "a." ~ ""`},
		{`{"type":"string","format":"something-else"}`, `"x"`, `1`},
		{`{"type":"integer"}`, `0 ~ -1 ~ 9223372036854775807 ~ -9223372036854775808`, `-0 ~ 1.0 ~ 1e1 ~ 9223372036854775808 ~ 007`},
		{`{"type":"integer","minimum":-12,"exclusiveMaximum":130}`, `-12 ~ -3 ~ 0 ~ 9 ~ 129`, `-13 ~ -20 ~ 130 ~ 1000 ~ -0`},
		{`{"type":"integer","minimum":0.5,"maximum":2e1}`, `1 ~ 20 ~ 19`, `0 ~ 21 ~ -1`},
		{`{"type":"integer","minimum":10,"multipleOf":7}`, `14 ~ 21 ~ 700`, `7 ~ 15 ~ -14`},
		{`{"type":"integer","format":"int32"}`, `2147483647 ~ -2147483648`, `2147483648`},
		{`{"type":"number","minimum":0,"maximum":1}`, `0 ~ 1 ~ 0.5 ~ 1.0 ~ 0.00`, `-0 ~ 1.01 ~ 2 ~ -1 ~ 1e0`},
		{`{"type":"number","exclusiveMinimum":-1.25,"exclusiveMaximum":3.5}`, `-1.2 ~ -0.5 ~ -0 ~ 3.49 ~ 0 ~ 3 ~ -1.2499 ~ -1`, `-1.25 ~ -1.3 ~ 3.5 ~ 3.50 ~ 3.51 ~ 4`},
		{`{"type":"number","maximum":-0.1}`, `-0.1 ~ -5 ~ -0.11`, `-0.09 ~ 0 ~ -0`},
		{`{"type":"number","exclusiveMaximum":0}`, `-0.1 ~ -5`, `-0 ~ 0 ~ -0.0`},
		{`{"type":"boolean"}`, `true ~ false`, `null`},
		{`{"type":["string","null"]}`, `"a" ~ null`, `1`},
		{`{"type":"STRING","nullable":true}`, `"a" ~ null`, `1`},
		{`{"enum":["a","ab",1,12,null,{"x":[1]}]}`, `"a" ~ "ab" ~ 1 ~ 12 ~ null ~ {"x":[1]}`, `"b" ~ 2 ~ {"x": [1]}`},
		{`{"type":"STRING","format":"enum","enum":["é\"","b"],"nullable":true}`, `"é\"" ~ "b" ~ null`, `"é`},
		{`{"type":"integer","enum":["a",1,2.5,3.0]}`, `1 ~ 3.0`, `"a" ~ 2.5`},
		{`{"const":"a"}`, `"a"`, `"b"`},
		{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},"ab":{}},"required":["b"]}`,
			`{"b":true} ~ {"a": 1,"b":false} ~ {"b":true,"ab":[{}]}`, `{} ~ {"a":1} ~ {"ab":1} ~ {"b":true,"a":1} ~ {"b":true,"c":1} ~ {"b":true,} ~ {"b":1}`},
		{`{"type":"object","properties":{"a":{"type":"integer"},"b":{}},"propertyOrdering":["b"]}`, `{"b":1,"a":2} ~ {"a":1} ~ {}`, `{"a":1,"b":2}`},
		{`{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}}`,
			`{"a":1,"b":"x","":"y"} ~ {"ab":"x"} ~ {} ~ {"b":"x"}`, `{"a":"x"} ~ {"\u0061":"x"} ~ {"b":"x","a":1} ~ {"b":1}`},
		{`{"type":"object","required":["a"]}`, `{"a":1} ~ {"a":[],"b":2}`, `{} ~ {"b":1}`},
		{`{"type":"object"}`, `{} ~ {"a":{"a":1}}`, `[] ~ 1`},
		{`{"type":"array","items":{"type":"integer"},"minItems":"1","maxItems":3}`, `[1] ~ [1, 2, 3]`, `[] ~ [1,2,3,4] ~ ["a"]`},
		{`{"type":"array","maxItems":0}`, `[]`, `[1`},
		{`{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]}`, `[] ~ [1] ~ [1,"a"]`, `["a"] ~ [1,"a",2]`},
		{`{"type":"array","prefixItems":[{"type":"integer"}],"items":{"type":"string"},"minItems":2}`, `[1,"a"] ~ [1,"a","b"]`, `[1] ~ [1,2]`},
		{`{"anyOf":[{"type":"integer"},{"type":"object","properties":{"k":{"const":"a"}},"required":["k"]},{"type":"object","properties":{"k":{"const":"b"},"v":{"type":"integer"}},"required":["k","v"]}]}`,
			`1 ~ {"k":"a"} ~ {"k":"b","v":1}`, `{"k":"b"} ~ {"k":"a","v":1} ~ "a"`},
		{`{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}`,
			`{"a":1} ~ {"b":1} ~ {"a":1,"b":2}`, `{}`},
		{`{"allOf":[{"$ref":"#/$defs/base"},{"properties":{"n":{"type":"string","minLength":1}},"required":["n"]}],"description":"x","$defs":{"base":{"type":"object","properties":{"id":{"type":"integer"}},"required":["id"]}}}`,
			`{"id":1,"n":"a"}`, `{"id":1} ~ {"n":"a"} ~ {"id":1,"n":""}`},
		{`{"allOf":[{"type":"integer","minimum":1,"maximum":20},{"minimum":5,"maximum":90}]}`, `5 ~ 20`, `4 ~ 21`},
		{`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"next":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["next"],"additionalProperties":false}}}`,
			`{"next":null} ~ {"next":{"next":null}}`, `{} ~ {"next":1} ~ ` + strings.Repeat(`{"next":`, maxDepth+1)},
		{`{"type":"object","properties":{"self":{"$ref":"#"},"bad":false}}`, `{} ~ {"self":{"self":{}}}`, `{"bad"`},
		{`{"anyOf":[{"$ref":"#"},{"type":"integer"}]}`, `1`, `"a"`},
		{`{"properties":{"a/b~c %":{"type":"integer"},"x":{"$ref":"#/properties/a~1b~0c%20%25"}}}`, `{"x":1}`, `{"x":"a"}`},
	} {
		s, err := ParseSchema([]byte(c.schema))
		if err != nil {
			t.Errorf("%s: %v", c.schema, err)
			continue
		}
		for _, answer := range strings.Split(c.yes, " ~ ") {
			if n, complete := follow(t, s, answer); n < len(answer) || !complete {
				t.Errorf("%s: %s: read %d of %d bytes, complete: %v", c.schema, answer, n, len(answer), complete)
			}
			if !json.Valid([]byte(answer)) {
				t.Errorf("%s is not JSON", answer)
			}
		}
		for _, answer := range strings.Split(c.no, " ~ ") {
			if n, complete := follow(t, s, answer); n == len(answer) && complete {
				t.Errorf("%s: %s is accepted", c.schema, answer)
			}
		}
	}
}

func TestSchemaRefused(t *testing.T) {
	many := make([]string, maxConfigs+1)
	for i := range many {
		many[i] = fmt.Sprintf(`{"type":"array","minItems":%d}`, i)
	}
	for schema, want := range map[string]string{
		`{"type":"object","properties":{"a/b":{"not":{}}}}`: "#/properties/a~1b/not: the keyword is not supported",
		`{"type":"object","patternProperties":{}}`:          "#/patternProperties",
		`{"type":"text"}`: `#/type: the type "text" is unknown`,
		`{"type":[]}`:     "#/type",
		`{"type":3}`:      "#/type",
		`{"items":{"type":"string","pattern":"(?=a)"}}`:                                         "#/items/pattern: ",
		`{"type":"string","pattern":"\\bx"}`:                                                    "#/pattern",
		`{"type":"string","pattern":"(a)\\1"}`:                                                  "#/pattern",
		`{"type":"string","pattern":"("}`:                                                       "#/pattern",
		`{"type":"string","pattern":"[[:alpha:]]"}`:                                             "#/pattern",
		`{"type":"string","pattern":"[]a]"}`:                                                    "#/pattern",
		`{"type":"string","pattern":"[\\ud83d]"}`:                                               "#/pattern",
		`{"type":"string","pattern":"[+-\\s]"}`:                                                 "#/pattern: \\s does not end a range",
		`{"type":"string","pattern":"\\"}`:                                                      "#/pattern",
		`{"type":"string","pattern":"(?i)a"}`:                                                   "#/pattern",
		`{"type":"string","pattern":"\\x{61}"}`:                                                 "#/pattern",
		`{"type":"string","pattern":"[ab]*a[ab]{20}$"}`:                                         "#/pattern: the schema's automaton would be too large",
		`{"type":"string","pattern":"^a$","minLength":2}`:                                       "#/pattern: nothing satisfies it",
		`{"type":"string","minLength":2,"maxLength":1}`:                                         "nothing satisfies it",
		`{"type":"string","maxLength":900000000}`:                                               "too large",
		`{"type":"string","maxLength":-1}`:                                                      "#/maxLength",
		`{"type":"integer","minimum":3,"maximum":2}`:                                            "nothing satisfies it",
		`{"type":"integer","minimum":0.1,"maximum":0.9}`:                                        "nothing satisfies it",
		`{"type":"number","minimum":1e-999999999}`:                                              "#/minimum",
		`{"type":"number","maximum":1e300}`:                                                     "#/maximum",
		`{"type":"integer","multipleOf":501}`:                                                   "#/multipleOf",
		`{"type":"number","multipleOf":2}`:                                                      "#/multipleOf",
		`{"type":"number","minimum":"1"}`:                                                       "#/minimum",
		`{"type":"array","uniqueItems":true}`:                                                   "#/uniqueItems",
		`{"type":"array","minItems":2,"maxItems":1}`:                                            "#/maxItems",
		`{"type":"array","items":false,"minItems":1}`:                                           "no value satisfies it",
		`{"type":"array","items":[{}]}`:                                                         "#/items",
		`{"type":"object","minProperties":1}`:                                                   "#/minProperties",
		`{"type":"object","maxProperties":1}`:                                                   "#/maxProperties",
		`{"type":"object","properties":{"a":{}},"required":["b"],"additionalProperties":false}`: "no value satisfies it",
		`{"type":"object","properties":{"a":{}},"propertyOrdering":["b"]}`:                      "#/propertyOrdering",
		`{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}`:                    "no value satisfies it",
		`{"$ref":"#"}`:          "no value satisfies it",
		`{"$ref":"#/$defs/x"}`:  "#/$ref: there is nothing",
		`{"$ref":"other.json"}`: "#/$ref",
		`{"$ref":"#/$defs/x","type":"string","$defs":{"x":{}}}`: "#/type: it is not supported beside $ref",
		`{"anyOf":[]}`:                                     "#/anyOf",
		`{"anyOf":[{}],"oneOf":[{}]}`:                      "#/oneOf",
		`{"allOf":[{"type":"string"},{"type":"integer"}]}`: "#/allOf/1/type",
		`{"allOf":[{"type":"string"},{"anyOf":[{}]}]}`:     "#/allOf/1/anyOf",
		`{"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"b":{}}}]}`: "#/allOf/0/additionalProperties",
		`{"allOf":[{"properties":{"a":{"type":"string"}}},{"properties":{"a":{"type":"null"}}}]}`:  "#/allOf/1/properties/a",
		`{"allOf":[{"$ref":"#/allOf/0"},{"type":"null"}]}`:                                         "circles",
		`{"enum":[]}`:                  "nothing satisfies it",
		`{"enum":["a"],"minLength":1}`: "#/minLength",
		`{"enum":["a"],"const":"a"}`:   "#/const",
		`{"enum":3}`:                   "#/enum",
		`{"nullable":"yes"}`:           "#/nullable",
		`{"a":1,"a":2}`:                "#/a: the key occurs twice",
		`{"type":"string"`:             "not JSON",
		`{} {}`:                        "not JSON",
		"{\"title\":\"\xff\"}":         "not UTF-8",
		`false`:                        "no value satisfies it",
		`3`:                            "a schema is an object",
		`{"anyOf":[` + strings.Join(many, ",") + `]}`:       "129 alternatives",
		strings.Repeat("[", 300) + strings.Repeat("]", 300): "nests deeper",
	} {
		if _, err := ParseSchema([]byte(schema)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.100s: want an error with %q, got %v", schema, want, err)
		}
	}
}

func TestChoices(t *testing.T) {
	s, err := Choices([]string{"red", "redder", "grün"})
	if err != nil {
		t.Fatal(err)
	}
	for answer, want := range map[string]bool{"red": true, "redd": false, "redder": true, "grün": true, "": false, " red": false, "redders": false} {
		if n, complete := follow(t, s, answer); (n == len(answer) && complete) != want {
			t.Errorf("%q: read %d bytes, complete: %v", answer, n, complete)
		}
	}
	if s, err = Choices([]string{"", "a"}); err != nil {
		t.Fatal(err)
	}
	if _, complete := follow(t, s, ""); !complete {
		t.Error("the empty choice is not complete")
	}
	if s, err = Choices([]string{""}); err != nil {
		t.Fatal(err)
	}
	if c, err := NewConstraint(s, bytesOnly, nil); err != nil || !c.Done() {
		t.Errorf("nothing is left to say, but it is not done: %v", err)
	}
	if _, err := Choices(nil); err == nil {
		t.Error("no choices are a schema")
	}
}

// TestManyReadings: alternatives that begin alike are followed together, and
// more of them than can be followed make no dead end.
func TestManyReadings(t *testing.T) {
	s, err := ParseSchema([]byte(`{"anyOf":[{"type":"array","items":{"$ref":"#"}},{"type":"array","items":{"$ref":"#"},"maxItems":3},
		{"type":"array","items":{"$ref":"#"},"minItems":1},{"type":"null"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	answer := strings.Repeat("[", 50) + "null" + strings.Repeat("]", 50)
	if n, complete := follow(t, s, answer); n < len(answer) || !complete {
		t.Errorf("read %d bytes, complete: %v", n, complete)
	}
}
