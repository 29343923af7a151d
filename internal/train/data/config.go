package data

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// setting is one entry of a generated configuration.
type setting struct {
	section string
	words   []string // of the key
	key     string   // as written
	value   string
	at      span
	shared  bool // the key is in other sections too
}

// dialect writes settings in one notation.
type dialect struct {
	style      int // of keys
	quoted     bool
	head, tail string // around a section's name; "" head: no sections
	line       string // {K} the key, {V} the value, {S} the section
}

const (
	snake = iota
	kebab
	camel
	upper
	pascal
)

var dialects = []dialect{
	{style: snake, head: "", line: "{K}: {V}"},
	{style: snake, head: "", tail: ":", line: "  {K}: {V}"},
	{style: kebab, tail: ":", line: "  {K}: {V}"},
	{style: camel, tail: ":", line: "    {K}: {V}"},
	{style: snake, head: "[", tail: "]", line: "{K} = {V}"},
	{style: kebab, head: "[", tail: "]", line: "{K}={V}"},
	{style: snake, head: "[", tail: "]", line: "{K} = \"{V}\"", quoted: true},
	{style: camel, head: "\"", tail: "\": {", line: "  \"{K}\": \"{V}\",", quoted: true},
	{style: snake, head: "\"", tail: "\": {", line: "  \"{K}\": \"{V}\",", quoted: true},
	{style: upper, line: "{K}={V}"},
	{style: upper, line: "export {K}=\"{V}\"", quoted: true},
	{style: upper, line: "#define {K} {V}"},
	{style: pascal, line: "const {K} = {V}"},
	{style: camel, line: "\tdefault{K} = {V}"},
	{style: pascal, line: "\t{K}: {V},"},
	{style: upper, line: "{K} = {V}"},
	{style: kebab, line: "--{K}={V} \\\\"},
	{style: kebab, line: "  --{K} {V}"},
	{style: kebab, line: "-{K} [string|int|value]  (default {V})"},
	{style: snake, line: "set {K} {V};"},
	{style: snake, line: "{K} {V}"},
	{style: camel, line: "private static final int {K} = {V};"},
	{style: snake, head: "<", tail: ">", line: "  <{K}>{V}</{K}>"},
	{style: snake, line: "self.{K} = {V}"},
	{style: snake, line: "let {K} = {V};"},
	{style: snake, head: "# ", line: "{K} = {V}"},
	{style: kebab, head: "; ", line: "{K}: {V}"},
	{style: snake, head: "def configure_", tail: "():", line: "    {K} = {V}"},
}

func joinKey(style int, words []string) string {
	switch style {
	case kebab:
		return strings.Join(words, "-")
	case upper:
		return strings.ToUpper(strings.Join(words, "_"))
	case camel, pascal:
		var b strings.Builder
		for i, w := range words {
			if i > 0 || style == pascal {
				w = capitalise(w)
			}
			b.WriteString(w)
		}
		return b.String()
	}
	return strings.Join(words, "_")
}

// configs writes configuration blocks until n settings are asked for.
func (w *world) configs(n int) {
	for n > 0 {
		d := pick(w.r, w.g.tables.dialects)
		entries := w.newSettings(&d)
		text := w.writeSettings(&d, entries)
		spans := make([]span, len(entries))
		for i := range entries {
			spans[i] = entries[i].at
		}
		block := w.add(text, spans, false)
		for block < 0 && len(entries) > 1 {
			entries, spans = entries[:len(entries)/2], spans[:len(entries)/2]
			block = w.add(w.writeSettings(&d, entries), spans, false)
		}
		if block < 0 {
			return
		}
		ask := min(n, between(w.r, 1, max(1, len(entries)/2)))
		for range ask {
			w.askSetting(entries, block)
		}
		n -= ask
	}
}

// newSettings draws the entries of a block, keys new to the example.
func (w *world) newSettings(d *dialect) []setting {
	r := w.r
	var out []setting
	section := ""
	sections := d.head != "" || d.tail != ""
	for range pick(r, []int{1, 2, 3, 5, 8, 13, 20}) {
		if sections && (section == "" || chance(r, 0.25)) {
			section = pick(r, techWords)
			if w.names["section "+section] {
				section = ""
				continue
			}
			w.names["section "+section] = true
		}
		words := w.newKey(out)
		key := joinKey(d.style, words)
		folded := strings.Join(words, " ")
		shared := false
		if i := w.r.IntN(len(out) + 1); section != "" && i < len(out) && chance(r, 0.2) && !inSection(out, section, out[i].words) {
			// The same key in another section: the question must name it.
			words, shared = out[i].words, true
			key, folded = out[i].key, strings.Join(words, " ")
			for j := range out {
				if slices.Equal(out[j].words, words) {
					out[j].shared = true
				}
			}
		}
		if (w.names[folded] && !shared) || reserved(folded) != w.g.opts.HeldOut {
			continue
		}
		w.names[folded] = true
		out = append(out, setting{section: section, words: words, key: key, value: w.settingValue(d, words), shared: shared})
	}
	return out
}

func inSection(list []setting, section string, words []string) bool {
	return slices.ContainsFunc(list, func(e setting) bool { return e.section == section && slices.Equal(e.words, words) })
}

func (w *world) newKey(others []setting) []string {
	r := w.r
	if len(others) > 0 && chance(r, w.g.opts.NearDuplicate) {
		words := append([]string(nil), pick(r, others).words...)
		switch i := r.IntN(len(words)); r.IntN(3) {
		case 0:
			return append(words, pick(r, techWords))
		default:
			words[i] = pick(r, techWords)
			return words
		}
	}
	n := between(r, 2, 3)
	if chance(r, 0.1) {
		n = 1
	}
	words := make([]string, n)
	for i := range words {
		words[i] = pick(r, techWords)
	}
	if chance(r, 0.2) {
		words[0] = pick(r, []string{"max", "min", "default", "enable", "use", "num", "total", "initial", "last", "no"})
	}
	return words
}

var settingTypes = []func(r *rand.Rand) string{
	func(r *rand.Rand) string { return integer(r, between(r, 1, 6)) },
	func(r *rand.Rand) string { return integer(r, between(r, 1, 3)) },
	func(r *rand.Rand) string { return strconv.Itoa(between(r, 1024, 65535)) },
	func(r *rand.Rand) string { return strconv.Itoa(1 << between(r, 3, 20)) },
	func(r *rand.Rand) string { return "0." + runOf(r, digits, between(r, 1, 4)) },
	func(r *rand.Rand) string { return pick(r, []string{"true", "false", "on", "off", "yes", "no"}) },
	func(r *rand.Rand) string {
		return integer(r, between(r, 1, 3)) + pick(r, []string{"s", "ms", "m", "h", "MB", "KiB", "GB", "k", "%", "d"})
	},
	func(r *rand.Rand) string { return pick(r, words) },
	func(r *rand.Rand) string { return pick(r, techWords) },
	func(r *rand.Rand) string { return "1e-" + integer(r, 1) },
	func(r *rand.Rand) string { return "0x" + runOf(r, hexDigits, between(r, 2, 8)) },
	path, path, identifier,
	func(r *rand.Rand) string { return pick(r, words) + ".example:" + integer(r, 4) },
}

func (w *world) settingValue(d *dialect, words []string) string {
	r := w.r
	if w.g.opts.HeldOut || chance(r, 0.15) {
		for {
			if v := pick(r, w.g.tables.types).make(r); !strings.ContainsAny(v, "\"\\<>;") {
				return v
			}
		}
	}
	v := pick(r, settingTypes)(r)
	switch words[len(words)-1] {
	case "port":
		v = strconv.Itoa(between(r, 1024, 65535))
	case "path", "log", "disk":
		v = path(r)
	case "timeout", "delay", "wait":
		v = integer(r, between(r, 1, 3)) + pick(r, []string{"s", "ms", "", ""})
	}
	return v
}

func (w *world) writeSettings(d *dialect, entries []setting) []byte {
	r := w.r
	var text []byte
	section := ""
	for i := range entries {
		e := &entries[i]
		if e.section != section {
			section = e.section
			text = append(append(append(append(text, d.head...), section...), d.tail...), '\n')
		}
		if chance(r, 0.08) {
			text = append(text, expandString(r, pick(r, settingComments), &slots{'K' - 'A': strings.Join(e.words, " ")})...)
		}
		f := expand(r, d.line, &slots{'K' - 'A': e.key, 'V' - 'A': e.value})
		v := f.span('V')
		e.at = span{len(text) + v.start, len(text) + v.end}
		text = append(append(text, f.text...), '\n')
	}
	if len(text) == 0 {
		return text
	}
	return text[:len(text)-1]
}

var settingComments = []string{"# {K}[ in seconds| of each worker||, see the manual]\n", "// {K}\n", "; {K}\n", "# [do not change|changed last week|tuned by hand|was higher before]\n"}

// askSetting asks for a value, sometimes of a key that is not there.
func (w *world) askSetting(entries []setting, block int) {
	if len(entries) == 0 {
		return
	}
	r, t := w.r, &w.g.tables
	i := r.IntN(len(entries))
	e := entries[i]
	words, key := e.words, e.key
	absent := chance(r, w.g.opts.AbsentShare)
	if absent {
		words = w.newKey([]setting{e, e, e})
		if folded := strings.Join(words, " "); w.names[folded] || reserved(folded) != w.g.opts.HeldOut {
			return
		}
		key = joinKey(r.IntN(5), words)
	}
	s := slots{'K' - 'A': key, 'S' - 'A': e.section, 'A' - 'A': "value"}
	if chance(r, 0.3) {
		s['K'-'A'] = strings.Join(words, " ")
	}
	list := t.setting
	if e.section != "" && !absent && (e.shared || chance(r, 0.3)) {
		list = t.sectionSetting
	}
	q := w.phrase(expandString(r, pick(r, list), &s), &s)
	if absent {
		w.ask(TaskAbsent, q)
		return
	}
	w.ask(TaskConfig, q, source{block: block, span: i})
}

var settingQuestions = []string{
	"What is {K} set to?", "What is `{K}` set to?", "What is the value of {K}?", "What is the value of `{K}`?", "What value does {K} have?", "Which value [does|is given for|was chosen for] {K}[ have|]?", "{K}?", "{K}", "{K} =", "{K}:", "`{K}`?", "How is {K} configured?", "How is {K} set?", "What does the config say for {K}?", "What does {K} equal?", "Look up {K}.", "Find the setting {K}.", "Find the value of the {K} [setting|option|parameter|constant|variable].", "What is the {K}?", "What is the {K} [setting|option|parameter]?", "Which {K} is configured?", "What {K} [is used|is configured|do we use|does it use]?", "What is the configured {K}?", "Give the {K}.", "Tell me the value of {K}.", "What is {K}?", "Value of {K}?", "value of {K}", "What default does {K} have?", "What's {K}?", "What's the current {K}?", "config {K}", "get {K}", "grep {K}", "echo ${K}", "print({K})", "To what is {K} set?", "What have they set {K} to?", "[In|According to] the [configuration|settings|config file], what is {K}?", "Return the value assigned to {K}.", "What is assigned to {K}?", "What would {K} evaluate to?", "Read {K} from the config.", "Which setting is in force for {K}?", "What number or text follows {K}?", "Show me {K}.", "I need the value of {K}.", "Is {K} set? To what?",
}

var sectionQuestions = []string{
	"What is {K} in the {S} section?", "What is {K} under {S}?", "In section {S}, what is {K} set to?", "What {K} does {S} have?", "{S}.{K}?", "{S}.{K}", "{S}: {K}?", "{S}/{K}", "What is the {K} of {S}?", "Which {K} is set for {S}?", "In {S}, what is the value of {K}?", "What does {S} set {K} to?", "{S} {K} =", "Look in {S} for {K}.", "value of {K} in {S}", "What {K} does the {S} use?", "For {S}, which {K} is configured?",
}
