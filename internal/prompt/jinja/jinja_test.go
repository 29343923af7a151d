package jinja

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestErrors: what fails says what and in which line.
func TestErrors(t *testing.T) {
	for _, c := range []struct{ source, says string }{
		{"a\n\n{{ 1 + }}", `line 3: unexpected "}}", want an expression`},
		{"{% if x %}\na", `line 2: unexpected end of template, want tag "endif"`},
		{"{{ (1 }}", `line 1: unexpected "}"`},
		{"{{ 'abc }}", "line 1: string without end"},
		{"\n{{ x", "line 2: tag without end: }} is missing"},
		{"{# x", "line 1: comment without end: #} is missing"},
		{"{% raw %} {% endraw", "line 1: raw block without end"},
		{"{{ '\\x4' }}", "line 1: malformed escape"},
		{"{{ x ? y }}", "line 1: unexpected character '?'"},
		{"{{ 99999999999999999999 }}", "number 99999999999999999999 is too large"},
		{"{% break %}", "break outside a loop"},
		{"{% for a in l %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", "continue outside a loop"},
		{"{% for a in l recursive %}{% endfor %}", "recursive loops are not supported"},
		{"{% nonsense %}", `tag "nonsense" is not known`},
		{"{% include '/etc/passwd' %}", `tag "include" is refused`},
		{"{% import 'a' as b %}", `tag "import" is refused`},
		{"{% from 'a' import b %}", `tag "from" is refused`},
		{"{% extends 'a' %}", `tag "extends" is refused`},
		{"{% block a %}{% endblock %}", `tag "block" is refused`},
		{"{{ x }}\n{{ l.append(1) }}", `line 2: method "append" would change a value in place`},
		{"{{ messages[0].update({}) }}", `method "update" would change`},
		{"{{ x.y.z }}", `attribute "y" of a string is undefined and has no attribute "z"`},
		{"{{ q.z }}", `"q" is undefined`},
		{"{{ q[0] }}", `"q" is undefined`},
		{"{{ q() }}", `"q", which is undefined, cannot be called`},
		{"{{ x|frobnicate }}", `filter or test "frobnicate" is not known`},
		{"{{ x is frobnicated }}", `filter or test "frobnicated" is not known`},
		{"{{ 1 + 'a' }}", `"+" is not defined for a number and a string`},
		{"{{ 'a' + n }}", `"+" is not defined for a string and none`},
		{"{{ 1 / 0 }}{{ 1 }}", "division by zero"},
		{"{{ 1 % 0 }}", "division by zero"},
		{"{{ 1.5 // 0 }}", "division by zero"},
		{"{{ 9000000000000000000 + 9000000000000000000 }}", "a number is too large"},
		{"{{ 10 ** 400 }}", "a number is too large"},
		{"{{ 'a' < 1 }}", "a string and a number have no order"},
		{"{{ 1 in 'a' }}", "a number cannot be in a string"},
		{"{% for a in n %}{% endfor %}", "none cannot be iterated over"},
		{"{% set a, b = [1] %}", "1 values for 2 names"},
		{"{% set l.a = 1 %}", `"l" is no namespace`},
		{"{{ {[]: 1} }}", "a list cannot be a key"},
		{"{{ x.split('') }}", "split at an empty separator"},
		{"{{ l[::0] }}", "a slice's step is 0"},
		{"{{ range(1, 5, 0) }}", "range with a step of 0"},
		{"{{ '{}'.format() }}", "format field {} has no argument"},
		{"{{ strftime_now('%Q') }}", "time format %Q is not known"},
		{"{{ q|tojson }}", "has no JSON form"},
		{"{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "2 arguments, want at most 1"},
		{"{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", `argument "b" is not known`},
		{"{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", `argument "a" is given twice`},
		{"\n\n{% if t %}{{ raise_exception('only ' ~ x) }}{% endif %}", "line 3: the template refuses this conversation: only héllo"},
	} {
		_, err := render(c.source, vars)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.source, err, c.says)
		}
	}
	if _, err := Parse(strings.Repeat(" ", maxSource+1)); err == nil {
		t.Error("a template without limit")
	}
}

// TestLimits: hostile templates end, soon and with an error.
func TestLimits(t *testing.T) {
	nest := func(a, b string) string { return strings.Repeat(a, 20000) + b }
	double := func(name, op string) string {
		return fmt.Sprintf("{%% set %[1]s = '%[2]s' %%}", "v", strings.Repeat("x", 100)) + strings.Repeat(strings.ReplaceAll(op, "$", "v"), 64) + name
	}
	for name, source := range map[string]string{
		"range":            "{% for a in range(10**9) %}{% endfor %}",
		"range backwards":  "{{ range(0, -10**9, -1)|length }}",
		"nested loops":     strings.Repeat("{% for a in range(1000) %}", 4) + strings.Repeat("{% endfor %}", 4),
		"loops that write": "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
		"one long write":   "{{ 'x' * 1000000 }}{{ 'x' * 1000000 }}",
		"repeated":         "{{ 'xx' * 9000000000000 }}",
		"repeated list":    "{{ ([1] * 9000000000000)|length }}",
		"repeated nothing": "{{ ('' * 9000000000000000000) ~ ([1, 2] * 5000000)|length }}",
		"doubled":          double("{{ v|length }}", "{% set $ = $ ~ $ %}"),
		"added":            double("{{ v|length }}", "{% set $ = $ + $ %}"),
		"replaced":         double("{{ v|length }}", "{% set $ = $.replace('x', $) %}"),
		"joined":           double("{{ v|length }}", "{% set $ = [$, $]|join($) %}"),
		"indented":         double("{{ v|length }}", "{% set $ = $|indent($, true) %}"),
		"formatted":        double("{{ v|length }}", "{% set $ = '{0}{0}'.format($) %}"),
		"captured":         double("{{ v|length }}", "{% set $ %}{{ $ }}{{ $ }}{% endset %}"),
		"escaped":          "{% set ns = namespace(v='&' * 1000) %}{% for a in range(50) %}{% set ns.v = ns.v|e %}{% set ns.v = ns.v ~ ns.v %}{% endfor %}",
		"nested lists":     double("{{ v }}", "{% set $ = [$, $] %}"),
		"nested JSON":      double("{{ v|tojson }}", "{% set $ = {'a': $, 'b': $} %}"),
		"compared":         double("{{ v == [v, v] }}{% set w = v %}", "{% set $ = [$, $] %}") + double("{{ v == w }}", "{% set $ = [$, $] %}"),
		"indented JSON":    "{{ [1]|tojson(indent=100000000) }}",
		"deep value":       "{% set ns = namespace(v=[]) %}{% for a in range(100000) %}{% set ns.v = [ns.v] %}{% endfor %}{{ ns.v }}",
		"deep comparison":  "{% set ns = namespace(v=[], w=[]) %}{% for a in range(100000) %}{% set ns.v = [ns.v] %}{% set ns.w = [ns.w] %}{% endfor %}{{ ns.v == ns.w }}",
		"searched":         "{% set a = 'a' * 500000 %}{% for i in range(100000) %}{% if (a ~ 'b') in a %}{% endif %}{% endfor %}",
		"stripped":         "{% set a = 'ab' * 500000 %}{% for i in range(100000) %}{% set _ = a.strip(a) %}{% endfor %}",
		"split":            "{% set a = 'a' * 1000000 %}{% for i in range(1000) %}{% set _ = a.split('a') %}{% endfor %}",
		"sorted":           "{% set a = range(100000) %}{% for i in range(1000) %}{% set _ = a|sort(reverse=true) %}{% endfor %}",
		"sliced":           "{% set a = range(100000) %}{% for i in range(100000) %}{% set _ = a[::-1] %}{% endfor %}",
		"long paths":       "{% set a = 'a.' * 500000 %}{% for i in range(100000) %}{% set _ = []|map(attribute=a) %}{% endfor %}",
		"long keys":        "{% set a = 'a.' * 500000 %}{% for i in range(100000) %}{% set _ = l[a] %}{% endfor %}",
		"long affixes":     "{% set a = 'a.' * 500000 %}{% for i in range(100000) %}{% set _ = a.removeprefix(a).startswith(a) %}{% endfor %}",
		"long fields":      "{% set a = '{' ~ '0' * 500000 ~ '}' %}{% for i in range(100000) %}{% set _ = a.format(1) %}{% endfor %}",
		"long name":        "{{ " + strings.Repeat("a", 500000) + " }}",
		"sums":             "{% set a = range(100000) %}{% for i in range(100000) %}{% set _ = (a|sum, a|unique, a|max, 0.5 in a) %}{% endfor %}",
		"power":            "{% for i in range(10**7) %}{% set _ = 2 ** 60 %}{% endfor %}",
		"recursion":        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"two in recursion": "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(90) }}",
		"long sum":         "{{ 1" + nest(" + 1", " }}"),
		"long call":        "{% macro m(a) %}{{ m(1" + strings.Repeat(" + 1", 1900) + ") }}{% endmacro %}{{ m(1) }}",
		"parentheses":      "{{ " + nest("(", "1"),
		"brackets":         "{{ " + nest("[", "1"),
		"signs":            "{{ " + nest("- ", "1 }}"),
		"negations":        "{{ " + nest("not ", "1 }}"),
		"choices":          "{{ 1" + nest(" if 1 else 1", " }}"),
		"blocks":           nest("{% if 1 %}", ""),
		"alternatives":     "{% if 0 %}" + nest("{% elif 0 %}", "{% endif %}"),
		"subscripts":       "{{ l" + nest("[0]", " }}"),
		"attributes":       "{{ l" + nest(".a", " }}"),
		"filters":          "{{ l" + nest("|list", " }}"),
		"tests":            "{{ l" + nest(" is none", " }}"),
	} {
		start := time.Now()
		_, err := render(source, vars)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, want an Error", name, err)
		} else if strings.Contains(err.Error(), "internal") {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
}

// TestInputGrows: what a long conversation needs is more than the least allowance.
func TestInputGrows(t *testing.T) {
	tmpl, err := Parse("{{ (x|trim)[1:] ~ '.' }}")
	if err != nil {
		t.Fatal(err)
	}
	d := &Dict{}
	d.Set("x", Data(strings.Repeat("long ", baseText)))
	out, err := tmpl.Render(context.Background(), d, day)
	if err != nil || len(out) != 5*baseText-1 {
		t.Errorf("%d characters, %v", len(out), err)
	}
}

func TestContextEndsRendering(t *testing.T) {
	tmpl, err := Parse("{% for a in range(1000000) %}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tmpl.Render(ctx, &Dict{}, day); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}

// TestProvenance: marks follow characters; here ‹ › stand around marked ones.
func TestProvenance(t *testing.T) {
	for _, c := range []struct{ source, want string }{
		{"a{{ x }}b", "a‹héllo›b"},
		{"{{ x[1:3] ~ x[::-1] ~ 'z' }}", "‹éloll\u00e9h›z"},
		{"{{ x|upper }}{{ x|title }}{{ x.capitalize() }}", "‹HÉLLOHélloHéllo›"},
		{"{{ x.replace('l', 'L') }}{{ 'abc'.replace('b', x) }}", "‹hé›LL‹o›a‹héllo›c"},
		{"{{ x.split('l')|join('-') }}", "‹hé›--‹o›"},
		{"{{ w.split()|join }}{{ w|trim }}", "‹abca b\tc›"},
		{"{{ w.rsplit(none, 1)[1] ~ 'z'.rsplit(x[:1], 1)[0] }}", "‹c›z"},
		{"{{ x|tojson }}{{ [x, 'y']|tojson }}", `"‹héllo›"["‹héllo›", "y"]`},
		{"{{ w|tojson }}", `"‹  a b\tc \n›"`},
		{"{{ {x: 1} }}", "{'‹héllo›': 1}"},
		{"{{ '{}<{}'.format(x, 1) }}", "‹héllo›<1"},
		{"{% set y %}[{{ x }}]{% endset %}{{ y|length }}{{ y }}", "7[‹héllo›]"},
		{"{% macro m(a) %}({{ a }}){% endmacro %}{{ m(x) }}", "(‹héllo›)"},
		{"{% for c in x %}{{ c }}.{% endfor %}", "‹h›.‹é›.‹l›.‹l›.‹o›."},
		{"{% for m in messages %}{% for k in m %}{{ k }}{% endfor %}{% endfor %}", "‹rolecontentrolecontentrolecontenttool_calls›"},
		{"{{ x == 'héllo' }}{{ x in ['héllo'] }}{{ {'héllo': 1}[x] }}{{ x.startswith('hé') }}", "TrueTrue1True"},
		{"{{ [x, x]|unique|list|length }}{{ [x, 'a', x]|sort|join }}{{ x|e }}", "1a‹héllohéllohéllo›"},
		{"{{ x[:2]|indent }}{{ x }}", "‹héhéllo›"},
		{"{{ x|indent(1, true) }}{{ strftime_now('%d' ~ x) }}", " ‹héllo›26‹héllo›"},
	} {
		got, err := render(c.source, vars)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		var b strings.Builder
		in := false
		for _, r := range got {
			if marked := r&dataMark != 0; marked != in {
				in = marked
				b.WriteString(map[bool]string{true: "‹", false: "›"}[in])
			}
			b.WriteString(Text{r}.String())
		}
		if in {
			b.WriteString("›")
		}
		if want := c.want; b.String() != want {
			t.Errorf("%s:\n got %s\nwant %s", c.source, b.String(), want)
		}
	}
}

// TestBytes: text that is not UTF-8, and private characters, come through.
func TestBytes(t *testing.T) {
	const odd = "\xff\xfea\x80\uE000\U0010FFFF\u0000\xc3"
	for _, make := range []func(string) Text{Data, Written} {
		d := &Dict{}
		d.Set("x", make(odd))
		tmpl, err := Parse("{{ x }}|{{ x[::-1][::-1] }}|{{ x|upper }}")
		if err != nil {
			t.Fatal(err)
		}
		out, err := tmpl.Render(context.Background(), d, day)
		want := odd + "|" + odd + "|" + strings.Replace(odd, "a", "A", 1)
		if err != nil || out.String() != want {
			t.Errorf("%q, %v", out.String(), err)
		}
	}
}

func TestDecodeJSON(t *testing.T) {
	const in = `{"b": [1, -2.50, 1e3, true, false, null, {}], "a": {"z": "\u00e9\n", "y": []}, "n": 12345678901234567890}`
	v, err := DecodeJSON([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	r := &run{ctx: context.Background(), work: 1000}
	const want = `{"b": [1, -2.5, 1000.0, true, false, null, {}], "a": {"z": "é\n", "y": []}, "n": 1.2345678901234567e+19}`
	if got := r.json(nil, v, &jsonStyle{item: Written(", "), colon: Written(": ")}, 0).String(); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, bad := range []string{"", "{", "[1,", `{"a"}`, "1 2", "nul", "{\"a\":1e999}", strings.Repeat("[", 100000)} {
		if _, err := DecodeJSON([]byte(bad)); err == nil || !strings.Contains(err.Error(), "offset") {
			t.Errorf("%.20q: %v, want an error with an offset", bad, err)
		}
	}
}

func TestConcurrency(t *testing.T) {
	tmpl, err := Parse(`{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{{ m.role }}{{ ns.n }}{% endfor %}`)
	if err != nil {
		t.Fatal(err)
	}
	v, err := DecodeJSON([]byte(vars))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				out, err := tmpl.Render(context.Background(), v.(*Dict), day)
				if err != nil || out.String() != "system1user2assistant3" {
					t.Errorf("%q, %v", out.String(), err)
				}
			}
		})
	}
	wg.Wait()
}
