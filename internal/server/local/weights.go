package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// dialogue is a request of open weights.
type dialogue struct {
	messages []handscroll.Message
	tools    []json.RawMessage
	byKind   map[backend.Modality]int // bytes of text that files brought
	skipped  backend.Skipped
}

// dialogue expands a request's files to text and puts what its stored context holds
// before it.
func (b *Backend) dialogue(ctx context.Context, m *model, r *backend.Request) (*dialogue, error) {
	d := &dialogue{byKind: map[backend.Modality]int{}}
	system, messages, tools, choice := r.System, r.Messages, r.Tools, r.ToolChoice
	before := 0 // messages of the stored context
	if r.Context != "" {
		s, err := b.stored.find(r.Owner, r.Context)
		if err != nil {
			return nil, err
		}
		if err := s.fits(m); err != nil {
			return nil, err
		}
		if r.System != "" || len(r.Tools) > 0 {
			return nil, &backend.Error{Kind: backend.Invalid, Param: "cachedContent", Message: "a stored context has its own system instruction and tools: set them when it is created"}
		}
		if err := b.sessions.load(m, s); err != nil {
			return nil, err
		}
		system, tools = s.System, s.Tools
		if choice.Mode == backend.ToolAuto {
			choice = s.ToolChoice
		}
		messages, before = slices.Concat(s.Messages, messages), len(s.Messages)
		r.Tools, r.ToolChoice = tools, choice
		d.skipped = s.Skipped
	}
	if choice.Mode != backend.ToolNone {
		var err error
		if d.tools, err = describe(tools, choice.Only); err != nil {
			return nil, err
		}
	}
	if system != "" {
		d.messages = append(d.messages, handscroll.Message{Role: "system", Content: system})
	}
	for i := range messages {
		if err := b.addMessage(ctx, d, r.Owner, m, &messages[i], fmt.Sprintf("messages[%d]", i-before)); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// addMessage adds a message; one of the same speaker as the one before goes on with
// it, as many templates want turns to alternate.
func (b *Backend) addMessage(ctx context.Context, d *dialogue, owner string, m *model, msg *backend.Message, param string) error {
	out := handscroll.Message{Role: string(msg.Role), ToolCallID: msg.CallID, Name: msg.Name}
	switch msg.Role {
	case backend.User, backend.Assistant, backend.ToolRole:
	default:
		return &backend.Error{Kind: backend.Invalid, Message: fmt.Sprintf("the role %q is not known", msg.Role), Param: param + ".role"}
	}
	for _, c := range msg.Calls {
		out.Calls = append(out.Calls, handscroll.ToolCall{ID: c.ID, Name: c.Name, Arguments: c.Arguments})
	}
	var text []string
	for j := range msg.Parts {
		s, err := b.expand(ctx, d, owner, m, &msg.Parts[j], fmt.Sprintf("%s.parts[%d]", param, j))
		if err != nil {
			return err
		}
		if s != "" {
			text = append(text, s)
		}
	}
	out.Content = strings.Join(text, "\n\n")
	if n := len(d.messages); n > 0 && msg.Role == backend.User && d.messages[n-1].Role == "user" {
		d.messages[n-1].Content += "\n\n" + out.Content
		return nil
	}
	d.messages = append(d.messages, out)
	return nil
}

// expand returns a part as text: a file's or data's between lines that name it.
func (b *Backend) expand(ctx context.Context, d *dialogue, owner string, m *model, p *backend.Part, param string) (string, error) {
	if p.File == "" && len(p.Data) == 0 {
		return p.Text, nil
	}
	pr := b.newPrompter(m, owner)
	defer pr.p.release()
	if err := pr.part(ctx, p, "", param); err != nil {
		return "", err
	}
	u := pr.p.units[0]
	release, err := u.open(ctx, b)
	if err != nil {
		return "", err
	}
	defer release()
	d.skipped.Merge(u.skipped)
	var out []string
	for i := range u.parts {
		part := &u.parts[i]
		if part.Kind() != handscroll.Text {
			return "", &backend.Error{
				Kind: backend.Unsupported, Param: param,
				Message: fmt.Sprintf("%s is a %v; the model %s reads text alone", part.Source, part.Kind(), m.ID),
			}
		}
		d.byKind[modality(part)] += len(part.Text)
		out = append(out, fmt.Sprintf("<document name=%q>\n%s\n</document>", part.Source, part.Text))
	}
	return strings.Join(out, "\n\n"), nil
}

// ids returns the tokens of a dialogue. Tools that the model's template does not
// speak of are described in a system message.
func (d *dialogue) ids(ctx context.Context, m *model) ([]int32, error) {
	ids, err := m.weights.Dialogue(ctx, d.messages, d.tools)
	if err == nil && len(d.tools) > 0 {
		var without []int32
		if without, err = m.weights.Dialogue(ctx, d.messages, nil); err == nil && slices.Equal(ids, without) {
			d.explainTools()
			ids, err = m.weights.Dialogue(ctx, d.messages, nil)
		}
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx.Err())
		}
		return nil, &backend.Error{Kind: backend.Invalid, Param: "messages", Message: "the model's chat template refuses the conversation: " + clean(err, "", ""), Err: err}
	}
	return ids, nil
}

// generation is one request of open weights that runs.
type generation struct {
	b    *Backend
	m    *model
	r    *backend.Request
	ids  []int32
	text string // of a raw request
	skip backend.Skipped
	o    handscroll.Sampling
	emit func(backend.Event) error

	mu   sync.Mutex // held while something is emitted
	gone error      // why nothing more is
}

func (b *Backend) generateWeights(ctx context.Context, m *model, r *backend.Request, emit func(backend.Event) error) (*backend.Response, error) {
	own := *r // a stored context may add tools
	g := &generation{b: b, m: m, r: &own, o: r.Sampling, emit: emit}
	byKind, err := g.prompt(ctx)
	if err != nil {
		return nil, err
	}
	if len(g.ids) >= m.InputLimit {
		return nil, tooLong(len(g.ids), m)
	}
	if err := g.constrain(); err != nil {
		return nil, err
	}
	if g.o.MaxTokens <= 0 {
		g.o.MaxTokens = defaultAnswer
	}
	g.o.MaxTokens = min(g.o.MaxTokens, m.InputLimit-len(g.ids))
	progress := emit
	if !r.Progress {
		progress = nil
	}
	p, err := g.admit(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer func() { p.exit() }()
	run, err := g.read(ctx, p, max(1, r.Count), progress)
	if run != nil {
		defer run.release()
	}
	if err != nil {
		return nil, err
	}
	if err := p.turn(ctx, quick); err != nil {
		return nil, err
	}
	defer b.turns.ask()()
	usage := backend.Usage{Prompt: len(g.ids), Cached: run.cached, ByKind: byKind, CachedBy: map[backend.Modality]int{backend.Text: run.cached}}
	out, err := g.answer(ctx, run, usage)
	if err == nil {
		p.answered()
	}
	return out, err
}

// admit lets a prompt in, by what of it is to be read.
func (g *generation) admit(ctx context.Context, emit func(backend.Event) error) (*pass, error) {
	fresh := len(g.ids) - g.b.sessions.common(g.m, g.r.Owner, g.ids)
	return g.m.gate.enter(ctx, classOf(fresh), fresh, waiting(emit))
}

// common is how many of a prompt's tokens need not be read, as it is now.
func (s *sessions) common(m *model, owner string, ids []int32) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.list {
		if k.m == m && k.owner == owner && !k.gone {
			n = max(n, k.s.Common(ids))
		}
	}
	return n
}

const (
	// shortAnswer is how many tokens a session can always forget.
	shortAnswer = 128
	// defaultAnswer bounds answers of requests that do not: memory is set aside.
	defaultAnswer = 8192
)

// prompt makes the request's tokens.
func (g *generation) prompt(ctx context.Context) (map[backend.Modality]int, error) {
	done, err := g.b.scratch.take(ctx, g.b.scratchFor(g.r))
	if err != nil {
		return nil, err
	}
	defer done()
	if g.r.Raw {
		g.text = rawText(g.r)
		if g.text == "" {
			return nil, &backend.Error{Kind: backend.Invalid, Param: "prompt", Message: "the prompt is empty"}
		}
		ids, err := g.m.weights.Tokenize([]byte(g.text), false)
		if err != nil {
			return nil, &backend.Error{Kind: backend.Internal, Message: "the model's tokenizer cannot be used", Err: err}
		}
		g.ids = ids
		return map[backend.Modality]int{backend.Text: len(ids)}, nil
	}
	d, err := g.b.dialogue(ctx, g.m, g.r)
	if err != nil {
		return nil, err
	}
	if g.ids, err = d.ids(ctx, g.m); err != nil {
		return nil, err
	}
	g.skip = d.skipped
	return d.split(len(g.ids)), nil
}

// split shares tokens between kinds by the bytes that they have.
func (d *dialogue) split(tokens int) map[backend.Modality]int {
	all := 0
	for _, msg := range d.messages {
		all += len(msg.Content)
	}
	out, rest := map[backend.Modality]int{}, tokens
	if n := d.byKind[backend.Document]; n > 0 && all > 0 {
		out[backend.Document] = min(rest, int(int64(tokens)*int64(n)/int64(all)))
		rest -= out[backend.Document]
	}
	out[backend.Text] = rest
	return out
}

// constrain turns forced calls into a schema.
func (g *generation) constrain() error {
	r := g.r
	if r.Sampling.Schema != nil && r.ToolChoice.Mode == backend.ToolAny && len(r.Tools) > 0 {
		return &backend.Error{Kind: backend.Invalid, Param: "tool_choice", Message: "an answer cannot be a call and follow a schema: choose one"}
	}
	if r.ToolChoice.Mode == backend.ToolAny {
		schema, err := callSchema(r.Tools, r.ToolChoice.Only)
		if err != nil {
			return err
		}
		g.o.Schema = schema
	}
	if err := g.o.Check(); err != nil {
		param := ""
		if g.o.Schema != nil {
			if param = "response_format"; r.ToolChoice.Mode == backend.ToolAny {
				param = "tools"
			}
		}
		return &backend.Error{Kind: backend.Invalid, Param: param, Message: strings.TrimPrefix(clean(err, "", ""), "sample: "), Err: err}
	}
	return nil
}

// run is a prompt that has been read.
type run struct {
	g      *generation
	s      *handscroll.Session
	from   *kept
	bytes  int64
	cached int
	pooled *kept
}

func (r *run) release() { r.g.b.sessions.done(r.from, r.bytes) }

// read reads the prompt. What it has read is kept also if it is interrupted.
func (g *generation) read(ctx context.Context, p *pass, answers int, emit func(backend.Event) error) (*run, error) {
	out := &run{g: g}
	// The prompt's pages are shared by all answers.
	own, err := g.m.weights.SessionBytes("", len(g.ids)+g.o.MaxTokens)
	if err == nil {
		var prompt int64
		if prompt, err = g.m.weights.SessionBytes("", len(g.ids)); err == nil {
			out.bytes = prompt + int64(answers)*(own-prompt)
		}
	}
	if err != nil {
		return nil, &backend.Error{Kind: backend.Internal, Message: "the memory of a session", Err: err}
	}
	for out.s == nil {
		wait, err := g.b.sessions.take(out, g.r.Owner, g.ids)
		if err != nil {
			return nil, g.failed(ctx, err)
		}
		if wait == nil {
			break
		}
		if err := p.starve(ctx, wait); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	begin := time.Now()
	cached := min(out.s.Common(g.ids), len(g.ids)-1)
	t := &progressTracker{emit: emit, every: progressEvery, cached: cached, total: len(g.ids), fresh: len(g.ids) - cached, begin: begin}
	out.cached, err = out.s.Read(ctx, g.ids, func(done, total int) {
		at := handscroll.Progress{Bytes: int64(done - cached), Total: int64(max(1, total-cached))}
		p.reached(at)
		if err := t.report(at); err != nil {
			stop(err)
		}
	})
	g.b.count.read(int64(max(0, out.s.Len()-out.cached)), time.Since(begin))
	if err == nil {
		g.b.count.prompt(len(g.ids), out.cached)
	}
	// The pool has a fork, which does not change while this one answers.
	if out.s.Len() > 0 {
		out.pooled = g.b.sessions.keep(out, out.s.Fork(), nil)
	}
	if err == nil {
		return out, nil
	}
	var full *handscroll.ContextError
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return out, ended(cause)
	case errors.As(err, &full):
		return out, backend.Errorf(backend.TooLong, "the prompt has %d tokens; there is memory for %d", full.Prompt, full.Context)
	}
	return out, &backend.Error{Kind: backend.Internal, Message: "reading the prompt failed", Err: err}
}

// answer makes all choices at once, so that they share passes over the weights.
func (g *generation) answer(ctx context.Context, run *run, usage backend.Usage) (*backend.Response, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	begin := time.Now()
	n := max(1, g.r.Count)
	out := g.b.response(g.r, usage)
	out.Skipped = g.skip
	out.Choices = make([]backend.Choice, n)
	echo, err := g.echo(ctx)
	if err != nil {
		return nil, err
	}
	// All forks before anyone changes the session.
	list := make([]*handscroll.Session, n)
	for i := range list {
		if list[i] = run.s; i > 0 {
			list[i] = run.s.Fork()
		}
	}
	counts := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			var err error
			if counts[i], err = g.choose(ctx, list[i], i, echo, &out.Choices[i]); err != nil {
				stop(err)
			}
		})
	}
	all.Wait()
	for _, c := range counts {
		out.Usage.Answer += c
	}
	g.b.count.answer(int64(out.Usage.Answer), time.Since(begin))
	if cause := context.Cause(ctx); cause != nil {
		return nil, ended(cause)
	}
	// A conversation goes on from here.
	if n == 1 {
		instead := run.pooled
		if run.s.Len() > len(g.ids)+shortAnswer {
			instead = nil // windows may have moved past the prompt's end
		}
		g.b.sessions.keep(run, run.s, instead)
	}
	return out, nil
}

// choose makes one choice and returns how many tokens it has.
func (g *generation) choose(ctx context.Context, s *handscroll.Session, i int, echo *backend.Choice, out *backend.Choice) (int, error) {
	o := g.o
	o.Seed += uint64(i)
	logprobs := g.r.Logprobs >= 0
	f := &callFilter{tools: g.r.Tools, none: g.r.ToolChoice.Mode == backend.ToolNone, forced: g.r.ToolChoice.Mode == backend.ToolAny}
	emit := func(text string, tokens []backend.Token) error {
		if g.emit == nil || text == "" && len(tokens) == 0 {
			return nil
		}
		if !logprobs {
			tokens = nil
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.gone == nil {
			g.gone = g.emit(backend.Event{Delta: &backend.Delta{Index: i, Text: text, Tokens: tokens}})
		}
		return g.gone
	}
	if echo != nil {
		*out = backend.Choice{Text: echo.Text, Tokens: slices.Clone(echo.Tokens)}
		if err := emit(out.Text, out.Tokens); err != nil {
			return 0, err
		}
	}
	gen, err := s.Generate(ctx, o, max(0, g.r.Logprobs), func(text string, tokens []handscroll.ChosenToken) error {
		return emit(f.add(text, chosen(tokens)))
	})
	if err != nil {
		return 0, g.failed(ctx, err)
	}
	calls, rest, tokens := f.end()
	if err := emit(rest, tokens); err != nil {
		return 0, err
	}
	out.Found, out.Finish, out.Calls = true, backend.FinishStop, calls
	out.Text += f.text()
	switch {
	case len(calls) > 0:
		out.Finish = backend.FinishCalls
	case gen.Finish == "length" || gen.Finish == "context":
		out.Finish = backend.FinishLength
	}
	if logprobs {
		out.Tokens = append(out.Tokens, trim(chosen(gen.Tokens))...)
	}
	return len(gen.Tokens), nil
}

// failed is why an answer was not made.
func (g *generation) failed(ctx context.Context, err error) error {
	var known *backend.Error
	switch {
	case ctx.Err() != nil, errors.As(err, &known):
		return err
	}
	return &backend.Error{Kind: backend.Internal, Message: "answering failed: " + clean(err, "", ""), Err: err}
}

// chosen translates tokens.
func chosen(in []handscroll.ChosenToken) []backend.Token {
	out := make([]backend.Token, len(in))
	for i, t := range in {
		out[i] = backend.Token{Token: t.Token, Top: t.Top}
	}
	return out
}

// trim leaves out the token that ends an answer, which has no text.
func trim(list []backend.Token) []backend.Token {
	if n := len(list); n > 0 && len(list[n-1].Text) == 0 {
		return list[:n-1]
	}
	return list
}

// echo returns the prompt of a raw request as the beginning of its answers.
func (g *generation) echo(ctx context.Context) (*backend.Choice, error) {
	if !g.r.Raw || !g.r.Echo {
		return nil, nil
	}
	out := &backend.Choice{Text: g.text}
	if g.r.Logprobs < 0 {
		return out, nil
	}
	list, _, err := g.m.weights.Score(ctx, g.ids, g.r.Logprobs)
	if err != nil {
		return nil, g.failed(ctx, err)
	}
	for i, t := range list {
		if len(t.Text) == 0 {
			continue // the token that texts begin with
		}
		token := backend.Token{Token: t.Token}
		if i > 0 {
			token.Top = list[i-1].Top
		}
		out.Tokens = append(out.Tokens, token)
	}
	return out, nil
}

func (b *Backend) countWeights(ctx context.Context, m *model, r *backend.Request) (*backend.Usage, error) {
	own := *r
	g := &generation{b: b, m: m, r: &own}
	byKind, err := g.prompt(ctx)
	if err != nil {
		return nil, err
	}
	return &backend.Usage{Prompt: len(g.ids), ByKind: byKind, CachedBy: map[backend.Modality]int{}}, nil
}

// Embed returns vectors of texts.
func (b *Backend) Embed(ctx context.Context, id string, texts []string, dims int) ([][]float32, *backend.Usage, error) {
	ctx, done, err := b.begin(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	m, err := b.model(id)
	if err != nil {
		return nil, nil, err
	}
	if !m.Embeds {
		return nil, nil, backend.NoEmbeddings(id, b.Models())
	}
	if dims < 0 || dims > m.EmbedDims {
		return nil, nil, &backend.Error{Kind: backend.Invalid, Param: "dimensions", Message: fmt.Sprintf("the vectors of %s have %d dimensions; %d were asked for", id, m.EmbedDims, dims)}
	}
	size, longest := 0, 0
	for _, text := range texts {
		size, longest = size+len(text), max(longest, len(text))
	}
	memory, err := b.scratch.take(ctx, textScratch(int64(longest))) // one after the other
	if err != nil {
		return nil, nil, err
	}
	defer memory()
	p, err := m.gate.enter(ctx, quick, size/textBytes, nil)
	if err != nil {
		return nil, nil, err
	}
	defer p.exit()
	defer b.turns.ask()()
	usage := &backend.Usage{ByKind: map[backend.Modality]int{}}
	out := make([][]float32, len(texts))
	read := 0 // bytes
	for i, text := range texts {
		if strings.TrimSpace(text) == "" {
			return nil, nil, &backend.Error{Kind: backend.Invalid, Param: fmt.Sprintf("input[%d]", i), Message: "the text is empty"}
		}
		ids, err := m.weights.Tokenize([]byte(text), false)
		if err != nil {
			return nil, nil, &backend.Error{Kind: backend.Internal, Message: "the model's tokenizer cannot be used", Err: err}
		}
		if len(ids) > m.InputLimit {
			return nil, nil, tooLong(len(ids), m)
		}
		v, err := m.weights.Embed(ctx, ids)
		if err != nil {
			if ctx.Err() != nil {
				return nil, nil, ended(ctx.Err())
			}
			return nil, nil, &backend.Error{Kind: backend.Internal, Message: "embedding failed", Err: err}
		}
		usage.Prompt += len(ids)
		out[i] = shorten(v, dims)
		read += len(text)
		p.reached(handscroll.Progress{Bytes: int64(read), Total: int64(size)})
	}
	p.answered()
	usage.ByKind[backend.Text] = usage.Prompt
	return out, usage, nil
}

// storeWeights reads a stored context's beginning of all prompts and saves the
// session.
func (b *Backend) storeWeights(ctx context.Context, m *model, n backend.NewStored, emit func(backend.Event) error) (out *backend.Stored, err error) {
	r := &backend.Request{Model: n.Model, Owner: n.Owner, System: n.System, Messages: n.Messages, Tools: n.Tools, ToolChoice: n.ToolChoice, Logprobs: -1}
	done, err := b.scratch.take(ctx, b.scratchFor(r))
	if err != nil {
		return nil, err
	}
	defer done()
	d, err := b.dialogue(ctx, m, r)
	if err != nil {
		return nil, err
	}
	if len(d.messages) == 0 {
		return nil, &backend.Error{Kind: backend.Invalid, Param: "contents", Message: "there is nothing to store: add a text or a file"}
	}
	record := b.newStored(m, n)
	record.Turns, record.Tools, record.ToolChoice = len(n.Messages), n.Tools, n.ToolChoice
	for _, msg := range d.messages {
		if msg.Role == "system" {
			record.System = msg.Content
			continue
		}
		kept := backend.Message{Role: backend.Role(msg.Role), Parts: []backend.Part{{Text: msg.Content}}, CallID: msg.ToolCallID, Name: msg.Name}
		for _, c := range msg.Calls {
			kept.Calls = append(kept.Calls, backend.Call{ID: c.ID, Name: c.Name, Arguments: c.Arguments})
		}
		record.Messages = append(record.Messages, kept)
	}
	ids, err := d.beginning(ctx, m)
	if err != nil {
		return nil, err
	}
	done()
	if len(ids) == 0 || len(ids) >= m.InputLimit {
		return nil, tooLong(len(ids), m)
	}
	size, err := m.weights.SessionBytes("", len(ids))
	if err != nil {
		return nil, &backend.Error{Kind: backend.Internal, Message: "the memory of a session", Err: err}
	}
	if err := b.sessions.reserve(record, size); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.sessions.drop(record)
		}
	}()
	g := &generation{b: b, m: m, r: r, ids: ids}
	p, err := g.admit(ctx, emit)
	if err != nil {
		return nil, err
	}
	defer p.exit()
	read, err := g.read(ctx, p, 1, emit)
	if read != nil {
		defer read.release()
	}
	if err != nil {
		return nil, err
	}
	if err := b.sessions.save(record, read.s); err != nil {
		return nil, err
	}
	record.Tokens, record.ByKind, record.Skipped = len(ids), d.split(len(ids)), d.skipped
	return b.stored.add(record)
}

// save writes a session to disk; what it leaves when it fails is for drop.
func (s *sessions) save(r *storedRecord, session *handscroll.Session) error {
	if err := session.Save(s.dir(r.ID)); err != nil {
		return s.b.diskError("keeping the context", err)
	}
	n := treeSize(s.dir(r.ID))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.disk[r.ID] = stored{r.Owner, n, true}
	return nil
}

// beginning returns the tokens that a dialogue begins with, whatever a user says next.
func (d *dialogue) beginning(ctx context.Context, m *model) ([]int32, error) {
	var both [2][]int32
	for i, next := range []string{"A", "7"} {
		with := &dialogue{messages: slices.Clone(d.messages), tools: d.tools}
		if n := len(with.messages); n > 0 && with.messages[n-1].Role == "user" {
			with.messages[n-1].Content += "\n\n" + next
		} else {
			with.messages = append(with.messages, handscroll.Message{Role: "user", Content: next})
		}
		var err error
		if both[i], err = with.ids(ctx, m); err != nil {
			return nil, err
		}
	}
	n := 0
	for n < len(both[0]) && n < len(both[1]) && both[0][n] == both[1][n] {
		n++
	}
	return both[0][:n], nil
}
