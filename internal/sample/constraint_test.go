package sample

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func Example() {
	schema, err := ParseSchema([]byte(`{"type":"object","properties":{"colour":{"enum":["red","green"]}},"required":["colour"]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	pieces := [][]byte{nil, []byte("Sure, "), []byte(`{"`), []byte("colour"), []byte(`":`), []byte(` "`), []byte("red"), []byte(`"}`), []byte(`", `)}
	const end = 0
	answer, err := NewConstraint(schema, NewTokenTrie(len(pieces), func(id int32) []byte { return pieces[id] }), []int32{end})
	if err != nil {
		fmt.Println(err)
		return
	}
	sampler, err := New(Options{}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	logits := []float32{0, 9, 1, 2, 3, 4, 5, 6, 7} // most of all the model wants to say "Sure"
	for !answer.Done() {
		choice, err := sampler.Next(logits, answer.Allowed)
		if err == nil {
			err = answer.Accept(choice.ID)
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(string(pieces[choice.ID]))
	}
	// Output: {"colour": "red"}
}

// randomSchema writes a schema with some of everything; "d" is a definition that
// refers to itself.
func randomSchema(r *rand.Rand) string {
	return fmt.Sprintf(`{"anyOf":[%s],"$defs":{"d":{"anyOf":[{"type":"array","items":%s},{"type":"integer"}]}}}`, schemaAt(r, 0), schemaAt(r, 1))
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

func schemaAt(r *rand.Rand, depth int) string {
	simple := []string{
		`{"type":"null"}`, `{"type":["boolean","integer"]}`, `{"type":"STRING","nullable":true}`, `{"type":"number"}`,
		`{"enum":["a","ab",1,12,[1,{"é":"\n"}],null]}`, `{"const":{"x":"\u00e9\"","y":[]}}`, `{"$ref":"#/$defs/d"}`,
	}
	least, most := r.IntN(3), 3+r.IntN(20)
	switch n := r.IntN(12); {
	case depth > 3 || n < 2:
		return pick(r, simple...)
	case n == 2:
		return fmt.Sprintf(`{"type":"string","minLength":%d,"maxLength":%d}`, least, most)
	case n == 3:
		return fmt.Sprintf(`{"type":"string","pattern":%q}`, pick(r, "^[a-fé-ü]+$", "x$", "^(ab|c\\d{2})*$", ".", "^\\w{2,5}|\\s$", "^[^a]{1,3}$"))
	case n == 4:
		return fmt.Sprintf(`{"type":"string","format":%q}`, pick(r, "date", "time", "date-time", "uuid", "unknown"))
	case n == 5:
		lo := r.IntN(2000) - 1000
		return fmt.Sprintf(`{"type":%q,%q:%d,%q:%d.5}`, pick(r, "integer", "number"), pick(r, "minimum", "exclusiveMinimum"), lo,
			pick(r, "maximum", "exclusiveMaximum"), lo+2+r.IntN(300))
	case n == 6:
		return fmt.Sprintf(`{"anyOf":[%s,%s]}`, schemaAt(r, depth+1), schemaAt(r, depth+1))
	case n == 7:
		return pick(r, `{}`, `true`, `{"type":"object"}`, `{"type":"array"}`, `{"type":"integer","multipleOf":7}`)
	case n == 8:
		return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d,"maxItems":%d}`, schemaAt(r, depth+1), least, most)
	case n == 9:
		return fmt.Sprintf(`{"type":"array","prefixItems":[%s,%s],"items":%s,"minItems":%d}`, schemaAt(r, depth+1), schemaAt(r, depth+1),
			pick(r, "false", "true", `{"type":"integer"}`), least)
	}
	var props, required []string
	for _, name := range []string{"a", "ab", "é\"", "", "long name", "z"}[:r.IntN(7)] {
		props = append(props, strconv.Quote(name)+":"+schemaAt(r, depth+1))
		if r.IntN(2) == 0 {
			required = append(required, strconv.Quote(name))
		}
	}
	r.Shuffle(len(props), func(i, j int) { props[i], props[j] = props[j], props[i] })
	return fmt.Sprintf(`{"type":"object","properties":{%s},"required":[%s],"additionalProperties":%s}`,
		strings.Join(props, ","), strings.Join(required, ","), pick(r, "false", "false", "true", `{"type":"integer"}`))
}

// check is an independent reading of JSON Schema: it says why v, decoded, does
// not satisfy s.
func check(root, s, v any) error {
	if b, ok := s.(bool); ok {
		if !b {
			return errors.New("false")
		}
		return nil
	}
	m := s.(map[string]any)
	if m["nullable"] == true && v == nil {
		return nil
	}
	if ref, ok := m["$ref"].(string); ok {
		return check(root, root.(map[string]any)["$defs"].(map[string]any)[ref[len("#/$defs/"):]], v)
	}
	if alts, ok := m["anyOf"].([]any); ok {
		var errs []error
		for _, a := range alts {
			err := check(root, a, v)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return fmt.Errorf("no alternative: %w", errors.Join(errs...))
	}
	same := func(a, b any) bool {
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		return bytes.Equal(x, y)
	}
	if e, ok := m["enum"].([]any); ok && !slices.ContainsFunc(e, func(e any) bool { return same(e, v) }) {
		return fmt.Errorf("%v is not one of %v", v, e)
	}
	if e, ok := m["const"]; ok && !same(e, v) {
		return fmt.Errorf("%v is not %v", v, e)
	}
	if want := fmt.Sprint(m["type"]); m["type"] != nil && !strings.Contains(strings.ToLower(want), typeOf(v)) {
		if _, number := v.(json.Number); !number || !strings.Contains(want, "number") {
			return fmt.Errorf("%v is not of type %s", v, want)
		}
	}
	switch v := v.(type) {
	case string:
		return checkString(m, v)
	case json.Number:
		return checkNumber(m, v)
	case []any:
		first, _ := m["prefixItems"].([]any)
		if n := m["minItems"]; n != nil && len(v) < toInt(n) {
			return fmt.Errorf("%d items", len(v))
		}
		if n := m["maxItems"]; n != nil && len(v) > toInt(n) {
			return fmt.Errorf("%d items", len(v))
		}
		for i, e := range v {
			of := m["items"]
			if i < len(first) {
				of = first[i]
			}
			if of != nil {
				if err := check(root, of, e); err != nil {
					return fmt.Errorf("%d: %w", i, err)
				}
			}
		}
	case map[string]any:
		props, _ := m["properties"].(map[string]any)
		required, _ := m["required"].([]any)
		for _, name := range required {
			if _, ok := v[name.(string)]; !ok {
				return fmt.Errorf("no %q", name)
			}
		}
		for name, e := range v {
			of, ok := props[name]
			if !ok {
				of = m["additionalProperties"]
			}
			if of != nil {
				if err := check(root, of, e); err != nil {
					return fmt.Errorf("%q: %w", name, err)
				}
			}
		}
	}
	return nil
}

func toInt(n any) int {
	i, err := strconv.Atoi(n.(json.Number).String())
	if err != nil {
		panic(err)
	}
	return i
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if r, ok := new(big.Rat).SetString(v.String()); ok && r.IsInt() {
			return "integer"
		}
	}
	return "number"
}

func checkString(m map[string]any, s string) error {
	n := utf8.RuneCountInString(s)
	if lo := m["minLength"]; lo != nil && n < toInt(lo) {
		return fmt.Errorf("%q is too short", s)
	}
	if hi := m["maxLength"]; hi != nil && n > toInt(hi) {
		return fmt.Errorf("%q is too long", s)
	}
	if p, ok := m["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(s) {
		return fmt.Errorf("%q does not match %s", s, p)
	}
	layouts := map[any]string{"date": time.DateOnly, "time": "15:04:05Z07:00", "date-time": time.RFC3339}
	if layout, ok := layouts[m["format"]]; ok {
		_, err := time.Parse(layout, s)
		return err
	}
	if m["format"] == "uuid" && len(s) != 36 {
		return fmt.Errorf("%q is no UUID", s)
	}
	return nil
}

func checkNumber(m map[string]any, n json.Number) error {
	x, err := n.Float64()
	if err != nil {
		return err
	}
	for key, wrong := range map[string]func(limit float64) bool{
		"minimum": func(l float64) bool { return x < l }, "exclusiveMinimum": func(l float64) bool { return x <= l },
		"maximum": func(l float64) bool { return x > l }, "exclusiveMaximum": func(l float64) bool { return x >= l },
	} {
		if l, ok := m[key].(json.Number); ok {
			if f, err := l.Float64(); err != nil || wrong(f) {
				return fmt.Errorf("%s is outside %s %s", n, key, l)
			}
		}
	}
	if by, ok := m["multipleOf"].(json.Number); ok {
		i, okI := new(big.Int).SetString(n.String(), 10)
		b, okB := new(big.Int).SetString(by.String(), 10)
		if !okI || !okB || i.Rem(i, b).Sign() != 0 {
			return fmt.Errorf("%s is no multiple of %s", n, by)
		}
	}
	return nil
}

// randomVocab has the single bytes, tokens of several, some of them twice, and
// an end.
func randomVocab(r *rand.Rand) (pieces [][]byte, end int32) {
	for b := range 256 {
		pieces = append(pieces, []byte{byte(b)})
	}
	parts := []string{`"`, `{"`, `":`, `, `, `,"`, `}`, `]`, `[`, `[{`, "\n", "\n  ", ` `, `\`, `\u`, `\ud83d`, `\ude00`, `00e9`, "\xc3", "\xa9", "é", "𝄞",
		"\xf0\x9d", "a", "ab", "the", "tr", "ue", "null", "1", "12", "2024-", "-0", ".5", "e+", "\xff", "  "}
	for range 150 {
		var p []byte
		for range 1 + r.IntN(4) {
			p = append(p, parts[r.IntN(len(parts))]...)
		}
		pieces = append(pieces, p)
	}
	return append(pieces, nil), int32(len(pieces))
}

// TestWalks: whatever a model wants, what comes out is JSON that satisfies the
// schema. Every mask is compared with what the tokens' bytes say one by one.
func TestWalks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	walks := 1500
	if testing.Short() {
		walks = 300
	}
	for walk := range walks {
		text := randomSchema(r)
		schema, err := ParseSchema([]byte(text))
		if err != nil {
			if strings.Contains(err.Error(), "nothing satisfies") || strings.Contains(err.Error(), "no value") {
				continue // two draws that contradict each other
			}
			t.Fatalf("%s: %v", text, err)
		}
		pieces, end := randomVocab(r)
		answer := randomWalk(t, r, schema, pieces, end, walk%10 == 0)
		var v, s any
		for _, d := range []struct {
			text []byte
			to   *any
		}{{answer, &v}, {[]byte(text), &s}} {
			dec := json.NewDecoder(bytes.NewReader(d.text))
			dec.UseNumber()
			if err := dec.Decode(d.to); err != nil || dec.More() {
				t.Fatalf("%s: %q: %v", text, d.text, err)
			}
		}
		if err := json.Unmarshal(answer, new(any)); err != nil || !utf8.Valid(answer) {
			t.Fatalf("%s: %q: %v", text, answer, err)
		}
		if err := check(s, s, v); err != nil {
			t.Fatalf("%s: %s: %v", text, answer, err)
		}
	}
}

// randomWalk answers with random logits that come to want an end.
func randomWalk(t *testing.T, r *rand.Rand, schema *Schema, pieces [][]byte, end int32, compare bool) []byte {
	c, err := NewConstraint(schema, NewTokenTrie(len(pieces), func(id int32) []byte { return pieces[id] }), []int32{end})
	if err != nil {
		t.Fatal(err)
	}
	sampler, err := New(Options{}, nil) // the likeliest, by random logits
	if err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, len(pieces))
	var answer []byte
	for n := 0; ; n++ {
		if n == 3000 {
			t.Fatalf("no end: %.200s", answer)
		}
		for id, p := range pieces {
			logits[id] = r.Float32() * 10
			if n > 60 && len(p) > 0 {
				switch p[0] {
				case '"':
					logits[id] += 30 // inside a string brackets end nothing
				case 'x', ' ': // patterns end so
					logits[id] += 20
				case '}', ']':
					logits[id] += 15
				case ',', '{', '[':
					logits[id] -= 15
				}
			}
		}
		if compare {
			compareMask(t, c, pieces, end)
		}
		choice, err := sampler.Next(logits, c.Allowed)
		if err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if err := c.Accept(choice.ID); err != nil {
			t.Fatalf("%s: %v", answer, err)
		}
		if choice.ID == end {
			return answer
		}
		answer = append(answer, pieces[choice.ID]...)
		if c.Done() && r.IntN(2) == 0 {
			return answer
		}
	}
}

// compareMask compares the mask with each token's bytes.
func compareMask(t *testing.T, c *Constraint, pieces [][]byte, end int32) {
	for id, p := range pieces {
		configs := c.configs
		for _, b := range p {
			configs = c.advance(nil, configs, b)
		}
		want := len(configs) > 0
		if int32(id) == end {
			want = slices.ContainsFunc(c.configs, config.complete)
		}
		if c.Allowed(int32(id)) != want {
			t.Fatalf("token %q: allowed is %v", p, !want)
		}
	}
}

func TestConstraintEnds(t *testing.T) {
	c, err := NewConstraint(nil, bytesOnly, []int32{256, 'x'})
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		id        int32
		end, done bool // after it
	}{{'{', false, false}, {'"', false, false}, {'y', false, false}, {'"', false, false}, {':', false, false}, {'1', false, false}, {'}', true, true}} {
		if c.Allowed(256) || c.Done() {
			t.Fatalf("step %d: an end is allowed", i)
		}
		if err := c.Accept(step.id); err != nil {
			t.Fatal(err)
		}
		if c.Allowed('x') != step.end || c.Allowed(256) != step.end || c.Done() != step.done {
			t.Errorf("step %d: end allowed %v, done %v", i, c.Allowed(256), c.Done())
		}
	}
	for id := range int32(300) {
		if c.Allowed(id) != (id == 256 || id == 'x') {
			t.Errorf("token %d after the value: %v", id, c.Allowed(id))
		}
	}
	if err := c.Accept('1'); err == nil {
		t.Error("a value goes on after its end")
	}
	if err := c.Accept(256); err != nil || !c.Done() || c.Allowed(256) {
		t.Errorf("after the end: %v, done %v", err, c.Done())
	}

	// A number at the top may always be longer.
	if c, err = NewConstraint(nil, bytesOnly, []int32{256}); err != nil {
		t.Fatal(err)
	}
	if err := c.Accept('1'); err != nil || c.Done() || !c.Allowed(256) || !c.Allowed('2') || c.Allowed('-') || c.Allowed(-1) || c.Allowed(999) {
		t.Errorf("after 1: %v, done %v", err, c.Done())
	}
	if _, err := NewConstraint(nil, bytesOnly, []int32{257}); err == nil {
		t.Error("an end token that does not exist")
	}
}

// TestNoWayOn: a vocabulary that lacks a byte is told so, not left without tokens.
func TestNoWayOn(t *testing.T) {
	pieces := []string{"{", "\"", "a", ":", "1"}
	vocab := NewTokenTrie(len(pieces), func(id int32) []byte { return []byte(pieces[id]) })
	s, err := ParseSchema([]byte(`{"type":"object","properties":{"a":{"const":1}},"required":["a"]}`))
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewConstraint(s, vocab, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []int32{0, 1, 2, 1, 3} {
		if err := c.Accept(id); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Accept(4); err == nil || !strings.Contains(err.Error(), `"\n }"`) {
		t.Errorf("want an error that names the bytes, got %v", err)
	}
	if s, err = Choices([]string{"b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := NewConstraint(s, vocab, nil); err == nil {
		t.Error("no token begins the value")
	}
}

// FuzzSchema: no schema makes the parser panic or take long, and what it accepts
// can be answered.
func FuzzSchema(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		f.Add([]byte(randomSchema(r)))
	}
	f.Add([]byte(`{"type":"object","properties":{"a":{"$ref":"#"}},"allOf":[{"required":["a"]}]}`))
	f.Add([]byte(`{"type":"string","pattern":"^([a-z]+\\d{1,3}|.)*$","maxLength":40}`))
	f.Add([]byte(`{"type":"number","minimum":-1.5e2,"exclusiveMaximum":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		start := time.Now()
		s, err := ParseSchema(text)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%v for %q", d, text)
		}
		if err != nil {
			var wrong *SchemaError
			if !errors.As(err, &wrong) {
				t.Errorf("%q: %v is no SchemaError", text, err)
			}
			return
		}
		c, err := NewConstraint(s, bytesOnly, []int32{256})
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < 50 && !c.Done(); n++ {
			id := int32(n * 37 % 256)
			for !c.Allowed(id) {
				id = (id + 1) % 257
			}
			if err := c.Accept(id); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// largeVocab is of the size and make of those in use: words with and without a
// space before them, digits, punctuation and pieces of UTF-8.
func largeVocab(size int) *TokenTrie {
	r := rand.New(rand.NewPCG(5, 6))
	syllables := []string{"an", "be", "con", "de", "er", "fi", "go", "ha", "in", "ka", "lo", "me", "no", "pre", "ra", "sti", "tion", "un", "ver", "wi", "é", "ж", "語"}
	marks := []string{`"`, `":`, `",`, `"}`, `{`, `[`, `]`, `},`, "\n", "    ", `\n`, `\"`, "(", ")", "=", "\xe8\xaa", "\xf0\x9f"}
	pieces := make([][]byte, size)
	for id := range pieces {
		var p []byte
		switch n := r.IntN(20); {
		case id < 256:
			p = []byte{byte(id)}
		case n == 0:
			for range 1 + r.IntN(4) {
				p = append(p, marks[r.IntN(len(marks))]...)
			}
		default:
			if n < 10 {
				p = append(p, ' ')
			}
			for range 1 + r.IntN(4) {
				p = append(p, syllables[r.IntN(len(syllables))]...)
			}
		}
		pieces[id] = p
	}
	return NewTokenTrie(size, func(id int32) []byte { return pieces[id] })
}

func BenchmarkMask(b *testing.B) {
	vocab := largeVocab(150_000)
	for _, c := range []struct{ name, schema, answer string }{
		{"string", `{}`, `{"a": "the `},
		{"limited", `{"type":"string","maxLength":500}`, `"the `},
		{"short", `{"type":"string","maxLength":20}`, `"the `},
		{"pattern", `{"type":"string","pattern":"^[a-z ]+$"}`, `"the `},
		{"value", `{}`, `{"a":`},
		{"number", `{}`, `{"a": 12`},
		{"key", `{"type":"object","properties":{"alpha":{},"beta":{}}}`, `{"`},
		{"alternatives", `{"anyOf":[{"type":"object","properties":{"a":{"type":"string"}}},{"type":"object","properties":{"a":{"type":"string","maxLength":9}}}]}`, `{"a": "x`},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := ParseSchema([]byte(c.schema))
			if err != nil {
				b.Fatal(err)
			}
			k, err := NewConstraint(s, vocab, nil)
			if err != nil {
				b.Fatal(err)
			}
			for _, x := range []byte(c.answer) {
				if err := k.Accept(int32(x)); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if err := k.update(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewTokenTrie(b *testing.B) {
	for b.Loop() {
		largeVocab(150_000)
	}
}
