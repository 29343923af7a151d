package gemini

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
	"github.com/handscroll/handscroll/internal/server/sse"
)

// store makes a context of a body's members.
func (c *client) store(members string, header ...string) cachedContent {
	c.t.Helper()
	var out cachedContent
	c.json("POST", "/v1beta/cachedContents", `{"model":"models/`+backendtest.Native+`",`+members+`}`, &out, header...)
	return out
}

func (c *cachedContent) expires(t *testing.T) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, c.Expires)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func near(t *testing.T, got, want time.Time) {
	t.Helper()
	if d := got.Sub(want); d < -time.Minute || d > time.Minute {
		t.Errorf("it is %v, want %v", got, want)
	}
}

func TestCachedContents(t *testing.T) {
	s := serve(t, Options{})
	f := s.upload("book.txt", "text/plain", "call me Ishmael")
	made := s.store(fmt.Sprintf(`"contents":[{"parts":[{"fileData":{"fileUri":%q}}]}],"systemInstruction":{"parts":[{"text":"be brief"}]},"displayName":"a book","ttl":"600s"`, f.URI))
	near(t, made.expires(t), time.Now().Add(10*time.Minute))
	if made.Model != "models/handscroll" || made.DisplayName != "a book" || made.Usage.Total != 5 || !strings.HasPrefix(made.Name, "cachedContents/") {
		t.Errorf("%+v", made)
	}
	if len(made.Sources) != 1 || made.Sources[0].Name != "book.txt" || made.Sources[0].URI != f.URI || made.Sources[0].Tokens != 3 {
		t.Errorf("sources %+v", made.Sources)
	}

	var got cachedContent
	s.json("GET", "/v1beta/"+made.Name, "", &got)
	if got.Name != made.Name || got.Expires != made.Expires {
		t.Errorf("%+v, want %+v", got, made)
	}

	var answer generateResponse
	s.json("POST", native+":generateContent", `{"contents":[{"parts":[{"text":"who is it"}]}],"cachedContent":"`+made.Name+`"}`, &answer)
	if u := answer.Usage; u.Prompt != 8 || u.Cached != 5 || u.Total != 11 || u.CacheDetails[0] != (modalityCount{"TEXT", 5}) {
		t.Errorf("usage %+v", u)
	}
	if s.last().Context != strings.TrimPrefix(made.Name, "cachedContents/") {
		t.Errorf("asked of %q", s.last().Context)
	}

	// Its time can be changed, and nothing else.
	later := time.Now().Add(5 * time.Hour).UTC().Format(time.RFC3339)
	for _, c := range []struct {
		query, body string
		want        time.Duration
	}{
		{"", `{"ttl":"3600s"}`, time.Hour},
		{"?updateMask=ttl", `{"ttl":"1.5s"}`, 1500 * time.Millisecond},
		{"", `{"expireTime":"` + later + `"}`, 5 * time.Hour},
		{"?updateMask=expire_time", `{"expire_time":"` + later + `"}`, 5 * time.Hour},
	} {
		var out cachedContent
		s.json("PATCH", "/v1beta/"+made.Name+c.query, c.body, &out)
		near(t, out.expires(t), time.Now().Add(c.want))
	}
	for _, c := range []struct{ query, body, field string }{
		{"", `{}`, "ttl"},
		{"", `{"ttl":"0s"}`, "ttl"},
		{"", `{"ttl":"-1s"}`, "ttl"},
		{"", `{"ttl":"1s","expireTime":"` + later + `"}`, "expireTime"},
		{"", `{"expireTime":"2020-01-01T00:00:00Z"}`, "expireTime"},
		{"", `{"expireTime":"tomorrow"}`, "expireTime"},
		{"", `{"ttl":"1s","displayName":"x"}`, "cachedContent"},
		{"?updateMask=displayName", `{"displayName":"x"}`, "updateMask"},
	} {
		if e := s.fails(400, "PATCH", "/v1beta/"+made.Name+c.query, c.body); e.field() != c.field {
			t.Errorf("%s: %+v", c.body, e)
		}
	}

	s.json("DELETE", "/v1beta/"+made.Name, "", nil)
	for _, method := range []string{"GET", "DELETE"} {
		s.fails(404, method, "/v1beta/"+made.Name, "")
	}
	s.fails(404, "PATCH", "/v1beta/"+made.Name, `{"ttl":"1s"}`)
	s.fails(404, "POST", native+":generateContent", `{"contents":[{"parts":[{"text":"who"}]}],"cachedContent":"`+made.Name+`"}`)
}

func TestBadCachedContents(t *testing.T) {
	s := serve(t, Options{})
	for _, c := range []struct {
		body, field string
		code        int
	}{
		{`{"contents":[{"parts":[{"text":"x"}]}]}`, "model", 400},
		{`{"model":"publishers/x","contents":[{"parts":[{"text":"x"}]}]}`, "model", 400},
		{`{"model":"models/gpt","contents":[{"parts":[{"text":"x"}]}]}`, "model", 404},
		{`{"model":"models/handscroll"}`, "contents", 400},
		{`{"model":"models/handscroll","contents":[{"parts":[{"text":"x"}]}],"ttl":"0s"}`, "ttl", 400},
		{`{"model":"models/text-only","contents":[{"parts":[{"text":"x"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}`, "contents[0].parts[1]", 400},
		{`{"model":"models/handscroll","contents":[{"parts":[{"executableCode":{}}]}]}`, "contents[0].parts[0].executableCode", 400},
	} {
		for _, query := range []string{"", "?alt=sse"} {
			if e := s.fails(c.code, "POST", "/v1beta/cachedContents"+query, c.body); e.field() != c.field {
				t.Errorf("%s: %+v", c.body, e)
			}
		}
	}
}

func TestReadingIsToldOf(t *testing.T) {
	s := serve(t, Options{})
	res := s.do("POST", "/v1beta/cachedContents?alt=sse", `{"model":"models/handscroll","contents":[{"parts":[{"text":"a b c d e f"}]}]}`)
	r := sse.NewReader(res.Body)
	var progress []float64
	var made cachedContent
	for {
		_, data, err := r.Next()
		if err == io.EOF {
			break
		}
		var m struct {
			Progress *struct{ Fraction float64 }
			cachedContent
		}
		unmarshal(t, data, &m)
		if m.Progress != nil {
			progress = append(progress, m.Progress.Fraction)
		}
		made = m.cachedContent
	}
	if len(progress) != 4 || progress[3] != 1 || made.Usage.Total != 6 || made.Name == "" {
		t.Errorf("progress %v, then %+v", progress, made)
	}
}

func TestListsArePages(t *testing.T) {
	s := serve(t, Options{})
	now := time.Now()
	s.fake.SetClock(func() time.Time { return now })
	want := make(map[string]bool)
	for i := range 5 {
		if i%2 == 0 {
			now = now.Add(time.Second) // some were made at one time
		}
		want[s.store(`"contents":[{"parts":[{"text":"x"}]}]`).Name] = true
	}
	other := s.store(`"contents":[{"parts":[{"text":"x"}]}]`, "X-Goog-Api-Key", "another")
	var names []string
	for token, pages := "", 0; ; pages++ {
		var l struct {
			CachedContents []cachedContent
			NextPageToken  string
		}
		s.json("GET", "/v1beta/cachedContents?pageSize=2&pageToken="+token, "", &l)
		for _, c := range l.CachedContents {
			names = append(names, c.Name)
		}
		if token = l.NextPageToken; token == "" {
			if pages != 2 {
				t.Errorf("%d pages", pages+1)
			}
			break
		}
		// What is deleted meanwhile does not confuse the order.
		s.json("DELETE", "/v1beta/"+names[len(names)-1], "", nil)
	}
	for _, n := range names {
		delete(want, n)
	}
	if len(names) != 5 || len(want) != 0 {
		t.Errorf("listed %v, without %v", names, want)
	}
	s.fails(404, "GET", "/v1beta/"+other.Name, "")
	s.json("GET", "/v1beta/"+other.Name, "", nil, "X-Goog-Api-Key", "another")
}
