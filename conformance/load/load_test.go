package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"google.golang.org/genai"
)

var (
	duration = flag.Duration("load", 10*time.Second, "how long clients ask")
	clients  = flag.Int("clients", 64, "how many there are")
)

const model = "handscroll"

// item is one request of the pool and how it was answered alone.
type item struct {
	text, question string
	needle         string
	want           said
	alone          time.Duration
}

// said is what must be the same, whoever else asks.
type said struct {
	text   string
	prompt int64 // tokens
}

// texts makes a text of about so many bytes that says its needle once.
func texts(seed uint64, size int) *item {
	r := rand.New(rand.NewPCG(seed, 7))
	words := strings.Fields("old river mill geese broken oar quiet harbour lantern copper kettle winter orchard ladder paper clock stranger narrow bridge")
	name := fmt.Sprintf("%s %s %d", words[r.IntN(len(words))], words[r.IntN(len(words))], 100+seed)
	it := &item{question: "What is the access code of the vault " + name + "?", needle: strconv.Itoa(10_000 + r.IntN(90_000))}
	at := r.IntN(max(1, size-100))
	var s strings.Builder
	for needle := "The access code of the vault " + name + " is " + it.needle + ".\n"; s.Len() < size || needle != ""; {
		if s.Len() >= at {
			s.WriteString(needle)
			needle = ""
		}
		s.WriteString("The")
		for range 6 + r.IntN(10) {
			s.WriteString(" " + words[r.IntN(len(words))])
		}
		s.WriteString(".\n")
	}
	it.text = s.String()
	return it
}

// pool makes 60 requests: many short ones, some of a few pages, and as many long ones as
// there is time for.
func pool(d time.Duration) (out []*item) {
	long := min(12, max(2, int(d/(10*time.Second))))
	for i := range 60 {
		r := rand.New(rand.NewPCG(uint64(i), 3))
		switch {
		case i < long:
			out = append(out, texts(uint64(i), (100+500*i/max(1, long-1))<<10))
		case i < 24:
			out = append(out, texts(uint64(i), 4<<10+r.IntN(56<<10)))
		default:
			out = append(out, texts(uint64(i), 20+r.IntN(2000)))
		}
	}
	return out
}

// asker asks by one of the SDKs.
type asker func(ctx context.Context, it *item, stream bool) (said, error)

func gemini(t *testing.T, base string, h *http.Client) asker {
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: "local", Backend: genai.BackendGeminiAPI, HTTPClient: h, HTTPOptions: genai.HTTPOptions{BaseURL: base},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(ctx context.Context, it *item, stream bool) (out said, err error) {
		contents := []*genai.Content{genai.NewContentFromParts([]*genai.Part{genai.NewPartFromText(it.text), genai.NewPartFromText(it.question)}, genai.RoleUser)}
		config := &genai.GenerateContentConfig{Temperature: new(float32)}
		take := func(r *genai.GenerateContentResponse) {
			if len(r.Candidates) > 0 {
				out.text += r.Text()
			}
			if r.UsageMetadata != nil {
				out.prompt = int64(r.UsageMetadata.PromptTokenCount)
			}
		}
		if !stream {
			r, err := c.Models.GenerateContent(ctx, model, contents, config)
			if err == nil {
				take(r)
			}
			return out, err
		}
		for r, err := range c.Models.GenerateContentStream(ctx, model, contents, config) {
			if err != nil {
				return out, err
			}
			take(r)
		}
		return out, ctx.Err()
	}
}

func openAI(base string, h *http.Client) asker {
	// Refusals are to be seen here.
	c := openai.NewClient(option.WithBaseURL(base+"/v1/"), option.WithAPIKey("local"), option.WithMaxRetries(0), option.WithHTTPClient(h))
	return func(ctx context.Context, it *item, stream bool) (out said, err error) {
		ask := openai.ChatCompletionNewParams{
			Model: model, Temperature: openai.Float(0),
			Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
				openai.TextContentPart(it.text), openai.TextContentPart(it.question),
			})},
		}
		if !stream {
			r, err := c.Chat.Completions.New(ctx, ask)
			if err != nil {
				return out, err
			}
			return said{r.Choices[0].Message.Content, r.Usage.PromptTokens}, nil
		}
		ask.StreamOptions.IncludeUsage = openai.Bool(true)
		s := c.Chat.Completions.NewStreaming(ctx, ask)
		defer s.Close()
		for s.Next() {
			chunk := s.Current()
			if len(chunk.Choices) > 0 {
				out.text += chunk.Choices[0].Delta.Content
			}
			if chunk.Usage.PromptTokens > 0 {
				out.prompt = chunk.Usage.PromptTokens
			}
		}
		return out, errors.Join(s.Err(), ctx.Err())
	}
}

// refusal reports whether an error is a refusal that may be, and when to come back, 0 if
// it does not say that.
func refusal(err error) (after time.Duration, ok bool) {
	var g genai.APIError
	var o *openai.Error
	switch {
	case errors.As(err, &g) && g.Code == http.StatusTooManyRequests:
		for _, d := range g.Details {
			if text, is := d["retryDelay"].(string); is {
				after, _ = time.ParseDuration(text)
			}
		}
		return after, true
	case errors.As(err, &o) && o.StatusCode == http.StatusTooManyRequests:
		if s, err := strconv.Atoi(o.Response.Header.Get("Retry-After")); err == nil {
			after = time.Duration(s) * time.Second
		}
		return after, true
	}
	return 0, false
}

// tally is what came of all requests.
type tally struct {
	mu                      sync.Mutex
	answered, refused, left int
	took                    [3][]time.Duration // by size
}

func (y *tally) add(f func()) {
	y.mu.Lock()
	defer y.mu.Unlock()
	f()
}

// The sizes of texts: some lines, some pages, or more.
const (
	lines = iota
	pages
	more
)

func (it *item) size() int {
	switch n := len(it.text); {
	case n < 4<<10:
		return lines
	case n < 64<<10:
		return pages
	}
	return more
}

// client asks until ctx ends; what it asks then is still answered.
func (y *tally) client(t *testing.T, ctx context.Context, n int, ask asker, items []*item) {
	r := rand.New(rand.NewPCG(uint64(n), 11))
	for ctx.Err() == nil {
		it := items[r.IntN(len(items))]
		stream, leaves := r.IntN(2) == 0, r.IntN(10) == 0
		for again := true; again; {
			again = false
			own, cancel := context.WithCancel(t.Context())
			var timer *time.Timer
			if leaves {
				timer = time.AfterFunc(time.Duration(r.Int64N(int64(it.alone)+1)), cancel)
			}
			begin := time.Now()
			got, err := ask(own, it, stream)
			took := time.Since(begin)
			gone := own.Err() != nil
			cancel()
			if timer != nil {
				timer.Stop()
			}
			after, refused := refusal(err)
			switch {
			case err == nil && got != it.want:
				t.Errorf("client %d: %d bytes, stream %v: %+v, alone %+v", n, len(it.text), stream, got, it.want)
			case err == nil:
				y.add(func() {
					y.answered++
					y.took[it.size()] = append(y.took[it.size()], took)
				})
			case refused && after <= 0:
				t.Errorf("client %d: refused, and not told when to come back: %v", n, err)
			case refused:
				y.add(func() { y.refused++ })
				wait := time.NewTimer(after)
				select {
				case <-wait.C:
					again = true
				case <-ctx.Done():
				}
				wait.Stop()
			case gone && leaves:
				y.add(func() { y.left++ })
			default:
				t.Errorf("client %d: %d bytes, stream %v, after %v: %v", n, len(it.text), stream, took, err)
				return
			}
		}
	}
}

// spread is the median and the most of durations, for people.
func spread(d []time.Duration) string {
	if len(d) == 0 {
		return "none"
	}
	slices.Sort(d)
	return fmt.Sprintf("median %v, slowest %v of %d", d[len(d)/2].Round(time.Millisecond), d[len(d)-1].Round(time.Millisecond), len(d))
}

// kept is how much more memory a server may have afterwards than before, besides what of
// the disk is mapped: some hundred short contexts, and what the runtime holds in reserve.
const kept = 128 << 20

func TestLoad(t *testing.T) {
	bin := program(t)
	// Each client has a connection of its own and they are all closed at the end.
	h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *clients}}
	both := func(base string) [2]asker { return [2]asker{gemini(t, base, h), openAI(base, h)} }

	// Alone: on another server, one after another.
	items := pool(*duration)
	alone := serve(t, bin)
	ask := both(alone.base)
	begin, right := time.Now(), 0
	for i, it := range items {
		begin := time.Now()
		got, err := ask[i%2](t.Context(), it, false)
		if err != nil {
			t.Fatalf("alone: %d bytes: %v\n%s", len(it.text), err, alone.logged())
		}
		if it.want, it.alone = got, time.Since(begin); strings.Contains(got.text, it.needle) {
			right++
		}
	}
	t.Logf("alone: %d requests in %v, %d found their needle", len(items), time.Since(begin).Round(time.Millisecond), right)
	if right < len(items)*9/10 {
		t.Errorf("alone %d of %d answers have what was asked for: they would be hard to tell apart", right, len(items))
	}
	h.CloseIdleConnections()

	s := serve(t, bin)
	ask = both(s.base)
	// What is only made once is there before.
	for i := range 2 {
		if _, err := ask[i](t.Context(), texts(1000+uint64(i), 1000), false); err != nil {
			t.Fatal(err)
		}
	}
	h.CloseIdleConnections()
	before, err := s.settle(func(map[string]float64) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), *duration)
	defer cancel()
	var y tally
	var all sync.WaitGroup
	begin = time.Now()
	for n := range *clients {
		var own []*item
		for i, it := range items {
			if i%2 == n%2 {
				own = append(own, it)
			}
		}
		all.Go(func() { y.client(t, ctx, n, ask[n%2], own) })
	}
	all.Wait()
	took := time.Since(begin)
	h.CloseIdleConnections()
	after, err := s.settle(func(n map[string]float64) bool {
		return n[goroutines] <= before[goroutines] && n[resident] <= before[resident]+n[onDisk]+kept
	})
	if err != nil {
		t.Errorf("a minute after the load: %v; before it %v", err, state(before))
	}
	read := after[tokensRead] - before[tokensRead]
	t.Logf("%d clients, %v: %d answered, %d refused, %d left; lines: %s; pages: %s; more: %s; %.0f tokens read, %.0f a second; goroutines %.0f before, %.0f after; resident %.0f MiB before, %.0f after, %.0f on disk",
		*clients, took.Round(time.Millisecond), y.answered, y.refused, y.left, spread(y.took[lines]), spread(y.took[pages]), spread(y.took[more]), read, read/took.Seconds(),
		before[goroutines], after[goroutines], before[resident]/mib, after[resident]/mib, after[onDisk]/mib)
	if y.answered < *clients/2 || y.left == 0 || len(y.took[more]) == 0 {
		t.Errorf("too little was tried: %d answered, %d left, %d of long texts", y.answered, y.left, len(y.took[more]))
	}
	if t.Failed() {
		t.Log(s.logged())
	}
}
