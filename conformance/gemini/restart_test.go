package gemini

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/servertest"
	"google.golang.org/genai"
)

var million = flag.Bool("million", false, "contexts of a million tokens in the tests of killed servers, which then must answer within 2 s")

// killable is a server of the real program that a test kills and starts again.
type killable struct {
	*testing.T
	home   string
	server *servertest.Server
	client *genai.Client
	model  string
}

func newKillable(t *testing.T) *killable {
	bin := os.Getenv("HANDSCROLL_BIN")
	if bin == "" {
		t.Skip("HANDSCROLL_BIN is not set: only the real program keeps contexts on disk")
	}
	k := &killable{T: t, home: t.TempDir()}
	k.start()
	t.Cleanup(func() { k.server.Stop() })
	k.model = model(t, k.client)
	return k
}

func (k *killable) start() {
	k.Helper()
	s, err := servertest.Start(os.Getenv("HANDSCROLL_BIN"), k.home)
	if err != nil {
		k.Fatal(err)
	}
	k.server = s
	k.client, err = genai.NewClient(k.Context(), &genai.ClientConfig{
		APIKey: servertest.Key(), Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: s.URL},
	})
	if err != nil {
		k.Fatal(err)
	}
}

// tokens is how long a context is to be.
func (k *killable) tokens() int {
	if *million {
		return 1_000_000
	}
	return 50_000
}

// metric is a number of /metrics.
func (k *killable) metric(name string) float64 {
	k.Helper()
	res, err := http.Get(k.server.URL + "/metrics")
	if err != nil {
		k.Fatal(err)
	}
	defer res.Body.Close()
	for s := bufio.NewScanner(res.Body); s.Scan(); {
		if text, ok := strings.CutPrefix(s.Text(), name+" "); ok {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				k.Fatal(err)
			}
			return v
		}
	}
	k.Fatalf("/metrics has no %s", name)
	return 0
}

// prose is invented sentences of about so many bytes, with the fact in their middle.
func prose(seed uint64, bytes int) string {
	r := rand.New(rand.NewPCG(seed, 1))
	words := make([]string, 4000)
	for i := range words {
		for range 2 + r.IntN(3) {
			words[i] += string("bcdfghklmnprstvz"[r.IntN(16)]) + string("aeiou"[r.IntN(5)])
		}
	}
	var s strings.Builder
	for told := false; s.Len() < bytes; {
		if !told && s.Len() >= bytes/2 {
			s.WriteString(fact + "\n")
			told = true
		}
		for i := range 6 + r.IntN(9) {
			w := words[min(r.IntN(len(words)), r.IntN(len(words)))]
			if i == 0 {
				w = strings.ToUpper(w[:1]) + w[1:]
			} else {
				w = " " + w
			}
			s.WriteString(w)
		}
		s.WriteString(".\n")
	}
	return s.String()
}

// haystack uploads a text of at least the tokens that are tested with.
func (k *killable) haystack(seed uint64) *genai.File {
	k.Helper()
	const sample = 100_000
	n, err := k.client.Models.CountTokens(k.Context(), k.model, genai.Text(prose(seed, sample)), nil)
	if err != nil {
		k.Fatal(err)
	}
	text := prose(seed, k.tokens()*sample/int(n.TotalTokens)*102/100)
	return upload(k.T, k.client, text, "text/plain", fmt.Sprintf("prose-%d.txt", seed))
}

func (k *killable) create(f *genai.File) *genai.CachedContent {
	k.Helper()
	c, err := k.client.Caches.Create(k.Context(), k.model, &genai.CreateCachedContentConfig{
		DisplayName: f.DisplayName, TTL: time.Hour, Contents: []*genai.Content{genai.NewContentFromURI(f.URI, f.MIMEType, genai.RoleUser)},
	})
	if err != nil {
		k.Fatal(err)
	}
	if int(c.UsageMetadata.TotalTokenCount) < k.tokens() {
		k.Fatalf("the context has %d tokens", c.UsageMetadata.TotalTokenCount)
	}
	return c
}

// ask asks for the fact, and checks that all of the context was cached.
func (k *killable) ask(c *genai.CachedContent) *genai.GenerateContentResponse {
	k.Helper()
	r, err := k.client.Models.GenerateContent(k.Context(), k.model, genai.Text(question), &genai.GenerateContentConfig{CachedContent: c.Name})
	if err != nil {
		k.Fatal(err)
	}
	if !strings.Contains(r.Text(), answer) {
		k.Errorf("the answer is %q", r.Text())
	}
	if u := r.UsageMetadata; u.CachedContentTokenCount != c.UsageMetadata.TotalTokenCount || u.PromptTokenCount < u.CachedContentTokenCount {
		k.Errorf("%d tokens of %d were cached, of a context of %d", u.CachedContentTokenCount, u.PromptTokenCount, c.UsageMetadata.TotalTokenCount)
	}
	return r
}

// place is what an answer rests on.
func place(r *genai.GenerateContentResponse) string {
	data, err := json.Marshal(r.Candidates[0].CitationMetadata)
	if err != nil || r.Candidates[0].CitationMetadata == nil {
		return fmt.Sprint("no citation: ", err)
	}
	return string(data)
}

const readTokens = "handscroll_prefill_tokens_total"

// TestKilledServerKeepsContexts kills the server after it has read a context.
func TestKilledServerKeepsContexts(t *testing.T) {
	k := newKillable(t)
	f := k.haystack(1)
	start := time.Now()
	c := k.create(f)
	created := time.Since(start)
	start = time.Now()
	before := k.ask(c)
	asked := time.Since(start)
	if n := k.metric(readTokens); n != float64(c.UsageMetadata.TotalTokenCount) {
		t.Errorf("%v tokens were read for a context of %d", n, c.UsageMetadata.TotalTokenCount)
	}
	k.server.Kill()
	start = time.Now()
	k.start()
	up := time.Since(start)
	after := k.ask(c)
	took := time.Since(start)
	t.Logf("%d tokens: created in %v, asked in %v; after kill -9 listening in %v, answered in %v from the start of the program",
		c.UsageMetadata.TotalTokenCount, created.Round(time.Millisecond), asked.Round(time.Millisecond), up.Round(time.Millisecond), took.Round(time.Millisecond))
	if *million && took > 2*time.Second {
		t.Errorf("answered after %v, want 2 s", took)
	}
	if n := k.metric(readTokens); n != 0 {
		t.Errorf("%v tokens were read again", n)
	}
	// The citation names the file by an address, which has the new port.
	was, is := strings.ReplaceAll(place(before), f.URI, ""), strings.ReplaceAll(place(after), k.server.URL+"/v1beta/"+f.Name, "")
	if after.Text() != before.Text() || is != was {
		t.Errorf("after the kill %q by %s, before %q by %s", after.Text(), is, before.Text(), was)
	}
	got, err := k.client.Caches.Get(t.Context(), c.Name, nil)
	if err != nil || got.DisplayName != c.DisplayName || !got.ExpireTime.Equal(c.ExpireTime) || got.UsageMetadata.TotalTokenCount != c.UsageMetadata.TotalTokenCount {
		t.Errorf("the context is %+v, %v", got, err)
	}
}

// killAt lets a context be created, with progress, and kills the server when so much of
// it is read.
func (k *killable) killAt(f *genai.File, fraction float64) {
	k.Helper()
	body, err := json.Marshal(map[string]any{
		"model": k.model, "displayName": f.DisplayName,
		"contents": []any{map[string]any{"parts": []any{map[string]any{"fileData": map[string]string{"fileUri": f.URI}}}}},
	})
	if err != nil {
		k.Fatal(err)
	}
	res, err := http.Post(k.server.URL+"/v1beta/cachedContents?alt=sse", "application/json", strings.NewReader(string(body)))
	if err != nil {
		k.Fatal(err)
	}
	defer res.Body.Close() // after the kill: a client that leaves would stop the reading
	for lines := bufio.NewReader(res.Body); ; {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			break // it is created
		}
		if err != nil {
			k.Fatal(err)
		}
		data, ok := strings.CutPrefix(line, "data:")
		if !ok {
			continue
		}
		var e struct {
			Progress *struct {
				Fraction float64
				Waiting  bool
			}
			Error any
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil || e.Error != nil {
			k.Fatalf("%s: %v", line, err)
		}
		if e.Progress != nil && !e.Progress.Waiting && e.Progress.Fraction >= fraction {
			break
		}
	}
	k.server.Kill()
}

// TestKilledWhileReading kills the server in the middle of creating a context. Then
// there is none, or a whole one, and it can be created.
func TestKilledWhileReading(t *testing.T) {
	k := newKillable(t)
	for i, fraction := range []float64{0, 0.5, 1} {
		f := k.haystack(uint64(10 + i))
		k.killAt(f, fraction)
		k.start()
		found := 0
		for c, err := range k.client.Caches.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if c.DisplayName == f.DisplayName {
				found++
				k.ask(c)
			}
		}
		if n := k.metric(readTokens); found > 1 || found == 1 && n != 0 {
			t.Errorf("killed at %v: %d contexts, %v tokens read", fraction, found, n)
		}
		f, err := k.client.Files.Get(t.Context(), f.Name, nil)
		if err != nil || f.State != genai.FileStateActive {
			t.Fatalf("killed at %v: the file is %+v, %v", fraction, f, err)
		}
		c := k.create(f)
		// What was read up to the last commit, every two seconds, is not read again.
		if n, all := k.metric(readTokens), float64(c.UsageMetadata.TotalTokenCount); *million && fraction > 0 && n > 0.9*all {
			t.Errorf("killed at %v: %v of %v tokens were read again", fraction, n, all)
		}
		t.Logf("killed at %v of %d tokens: %d contexts; %v tokens read to create it again", fraction, c.UsageMetadata.TotalTokenCount, found, k.metric(readTokens))
		k.ask(c)
		if _, err := k.client.Caches.Delete(t.Context(), c.Name, nil); err != nil {
			t.Error(err)
		}
	}
}
