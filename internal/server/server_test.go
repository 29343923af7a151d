package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

const (
	geminiPath = "/v1beta/models/handscroll:generateContent"
	openaiPath = "/v1/chat/completions"
)

func TestKeysAreAskedFor(t *testing.T) {
	h := newHouse(t, nil)
	// Without keys any will do: SDKs must send one.
	for _, header := range [][]string{nil, {"Authorization", "Bearer local"}, {"X-Goog-Api-Key", "local"}} {
		if w := ask(h, "POST", local+openaiPath+"?do=owner", "", header...); w.Code != 200 || w.Body.String() != "" {
			t.Errorf("%q: %d, owner %q", header, w.Code, w.Body)
		}
	}
	// One that is made while the server runs closes it at once.
	secret := h.add(t, "ann", KeyLimits{})
	owner := h.keys.List()[0].owner()
	for _, c := range []struct {
		target string
		header []string
		want   int
	}{
		{geminiPath, []string{"X-Goog-Api-Key", secret}, 200},
		{geminiPath, []string{"Authorization", "Bearer " + secret}, 200},
		{openaiPath, []string{"Authorization", "bearer " + secret}, 200},
		{openaiPath, []string{"X-Goog-Api-Key", secret}, 200},
		{"/upload/v1beta/files", []string{"X-Goog-Api-Key", secret}, 200},
		{"/v1beta/openai/chat/completions", []string{"Authorization", "Bearer " + secret}, 200},
		{geminiPath, nil, 401},
		{openaiPath, nil, 401},
		{"/upload/v1beta/files", nil, 401},
		{geminiPath, []string{"X-Goog-Api-Key", "local"}, 401},
		{openaiPath, []string{"Authorization", "Bearer " + secret + "x"}, 401},
		{openaiPath, []string{"Authorization", "Basic " + secret}, 401},
		{openaiPath, []string{"Authorization", secret}, 401},
		// The first place where there is one counts.
		{openaiPath, []string{"X-Goog-Api-Key", "wrong", "Authorization", "Bearer " + secret}, 401},
	} {
		w := ask(h, "POST", local+c.target+"?do=owner", "", c.header...)
		if w.Code != c.want || c.want == 200 && w.Body.String() != owner {
			t.Errorf("%s %q: %d %s", c.target, c.header, w.Code, w.Body)
		}
		if c.want == 401 {
			family := "openai"
			if familyOf(c.target) == gemini {
				family = "gemini"
			}
			wantWire(t, w.Code, w.Body.String(), family, 401, "key")
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the answer has the key: %s", w.Body)
			}
		}
	}
	if w := ask(h, "POST", local+geminiPath+"?do=owner&key="+secret, ""); w.Code != 200 {
		t.Errorf("?key=: %d", w.Code)
	}
	for path, want := range map[string]int{"/": 200, "/healthz": 200, "/readyz": 200, "/metrics": 401} {
		if w := ask(h, "GET", local+path, ""); w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := ask(h, "GET", local+"/metrics", "", "Authorization", "Bearer "+secret); w.Code != 200 {
		t.Errorf("metrics: %d", w.Code)
	}
	// Without the last key nobody gets in; it does not become open again.
	if err := h.keys.Remove("ann"); err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "POST", local+openaiPath, "", "Authorization", "Bearer "+secret); w.Code != 401 {
		t.Errorf("a removed key: %d", w.Code)
	}
	if strings.Contains(h.logs.String(), secret) {
		t.Error("the log has the key")
	}
}

func TestLimitsOfAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		few, one, poor := h.add(t, "few", KeyLimits{RequestsPerMinute: 2}), h.add(t, "one", KeyLimits{Concurrent: 1}), h.add(t, "poor", KeyLimits{TokensPerDay: 6})
		post := func(path, key, text string) (int, string, http.Header) {
			w := ask(h, "POST", local+path, text, "X-Goog-Api-Key", key)
			return w.Code, w.Body.String(), w.Header()
		}
		for i := range 3 {
			code, body, header := post(geminiPath, few, "hi")
			if i < 2 {
				if code != 200 {
					t.Errorf("request %d: %d %s", i, code, body)
				}
				continue
			}
			wantWire(t, code, body, "gemini", 429, "2 requests a minute")
			if header.Get("Retry-After") != "30" {
				t.Errorf("told to wait %q", header.Get("Retry-After"))
			}
		}
		time.Sleep(30 * time.Second)
		if code, body, _ := post(openaiPath, few, "hi"); code != 200 {
			t.Errorf("after waiting: %d %s", code, body)
		}
		resume := h.fake.Pause()
		first := make(chan int)
		go func() { code, _, _ := post(openaiPath, one, "a b"); first <- code }()
		if err := h.fake.AwaitRunning(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		code, body, header := post(openaiPath, one, "hi")
		wantWire(t, code, body, "openai", 429, "1 requests running")
		if header.Get("Retry-After") == "" {
			t.Error("not told when to come back")
		}
		resume()
		if code := <-first; code != 200 {
			t.Errorf("the first: %d", code)
		}
		// Two words of prompt and two of answer, and again; then the day is over.
		for range 2 {
			if code, body, _ := post(openaiPath, poor, "two words"); code != 200 {
				t.Errorf("%d %s", code, body)
			}
		}
		code, body, _ = post(openaiPath, poor, "two words")
		wantWire(t, code, body, "openai", 429, "midnight")
		time.Sleep(24 * time.Hour)
		if code, body, _ := post(openaiPath, poor, "two words"); code != 200 {
			t.Errorf("the next day: %d %s", code, body)
		}
	})
}

func TestWhoLeavesPaysToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		key := h.add(t, "poor", KeyLimits{TokensPerDay: 3})
		_, client, _ := h.open(t)
		h.fake.Pause()
		ctx, leave := context.WithCancel(t.Context())
		res, err := say(ctx, client, openaiPath, "three more words", "X-Goog-Api-Key", key)
		if err != nil {
			t.Fatal(err)
		}
		leave()
		res.Body.Close()
		if err := h.fake.AwaitRunning(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w := ask(h, "POST", local+openaiPath, "hi", "X-Goog-Api-Key", key)
		wantWire(t, w.Code, w.Body.String(), "openai", 429, "midnight")
		if !strings.Contains(h.logs.String(), `"left":true`) {
			t.Errorf("logs:\n%s", h.logs)
		}
	})
}

// Families ask what a backend can do beside the contract.
func TestMeterHidesNothing(t *testing.T) {
	full := Meter(backendtest.New())
	if _, ok := full.(backend.Purposer); !ok {
		t.Error("SetPurpose is gone")
	}
	if _, ok := Meter(struct{ backend.Backend }{full}).(backend.Purposer); ok {
		t.Error("SetPurpose came from nowhere")
	}
}

func TestBodyLimits(t *testing.T) {
	h := newHouse(t, func(o *Options) { o.MaxBody, o.MaxFile = 10, 1000 })
	for _, c := range []struct{ path, family string }{{geminiPath, "gemini"}, {openaiPath, "openai"}} {
		if w := ask(h, "POST", local+c.path, "0123456789"); w.Code != 200 {
			t.Errorf("%s: %d %s", c.path, w.Code, w.Body)
		}
		w := ask(h, "POST", local+c.path, "0123456789a")
		wantWire(t, w.Code, w.Body.String(), c.family, 413, "longer than the 10 bytes")
	}
	if w := ask(h, "POST", local+"/v1/files", strings.Repeat("x", 900)); w.Code != 200 {
		t.Errorf("a file: %d", w.Code)
	}
	w := ask(h, "POST", local+"/upload/v1beta/files", strings.Repeat("x", 2<<20))
	wantWire(t, w.Code, w.Body.String(), "gemini", 413, "longer than")
	// Of unknown length, over a connection.
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(o *Options) { o.MaxBody = 10 })
		_, client, _ := h.open(t)
		r, err := http.NewRequestWithContext(t.Context(), "POST", local+openaiPath, io.MultiReader(strings.NewReader("012345"), strings.NewReader("6789ab")))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		body := bodyOf(t, res, err)
		wantWire(t, res.StatusCode, body, "openai", 413, "longer than the 10 bytes")
	})
}

// rawly sends what a test writes, and returns all that comes back until the server
// closes the connection, and how long that took.
func rawly(t *testing.T, p *pipes, send func(w io.Writer)) (string, time.Duration) {
	t.Helper()
	start := time.Now()
	c, err := p.dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	var sent sync.WaitGroup
	sent.Go(func() { send(c) })
	defer sent.Wait()
	defer c.Close()
	data, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), time.Since(start)
}

func TestSlowClients(t *testing.T) {
	trickle := func(w io.Writer) {
		for range 1000 { // a byte every five seconds
			time.Sleep(5 * time.Second)
			if _, err := io.WriteString(w, "x"); err != nil {
				return
			}
		}
	}
	for _, c := range []struct {
		name, head string
		then       func(io.Writer)
		want       string
		within     time.Duration
	}{
		{"nothing", "", func(io.Writer) {}, "", 11 * time.Second},
		{"headers that never end", "POST /v1/x HTTP/1.1\r\nHost: localhost\r\nX-A: ", trickle, "", 11 * time.Second},
		{"a body that stops", "POST " + openaiPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf", func(io.Writer) {}, "came too slowly", 31 * time.Second},
		{"a body that trickles", "POST " + geminiPath + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n", trickle, `"Family":"gemini"`, 31 * time.Second},
		{"a chunk that stops", "POST " + openaiPath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf", func(io.Writer) {}, "came too slowly", 31 * time.Second},
		{"a body that nobody asked for", "POST " + openaiPath + "?do=ignore HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n\r\n", func(io.Writer) {}, "ignored", time.Second},
		{"a body that nobody wants, of an answer that is long", "POST " + openaiPath + "?do=ignore+long HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", trickle, "ignored", 3 * time.Second},
		{"a body that nobody wants", "POST " + openaiPath + "?do=ignore HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n", trickle, "ignored", 3 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, nil)
			p, _, stop := h.open(t)
			got, took := rawly(t, p, func(w io.Writer) {
				if _, err := io.WriteString(w, c.head); err == nil {
					c.then(w)
				}
			})
			if took > c.within || !strings.Contains(got, c.want) || c.want == "" && strings.Contains(got, " 200 ") {
				t.Errorf("%s: after %s %q", c.name, took, got)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLongUploadsAndAnswersAreNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		_, client, _ := h.open(t)
		r, w := io.Pipe()
		go func() {
			word := strings.Repeat("x", 4095) + " "
			for range 20 {
				time.Sleep(25 * time.Second)
				io.WriteString(w, word)
			}
			w.Close()
		}()
		req, err := http.NewRequestWithContext(t.Context(), "POST", local+openaiPath, r)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if body := bodyOf(t, res, err); len(body) < 20*4095 {
			t.Errorf("%d %.200s", res.StatusCode, body)
		}
		// An hour between two words, of a client that only waits.
		resume := h.fake.Pause()
		res, err = say(t.Context(), client, openaiPath, "one two")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		resume()
		if body := bodyOf(t, res, nil); body != "one two" {
			t.Errorf("%q", body)
		}
	})
}

// Who does not take what it asked for must not hold the engine for ever.
func TestClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		p, _, _ := h.open(t)
		c, err := p.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na b", openaiPath)
		start := time.Now()
		if err := h.fake.AwaitRunning(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := h.fake.AwaitRunning(t.Context(), 0); err != nil || time.Since(start) != 30*time.Second {
			t.Errorf("ran for %s, %v", time.Since(start), err)
		}
	})
}

func TestMalformedRequests(t *testing.T) {
	for _, c := range []struct{ head, want string }{
		{"nonsense\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
		{"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + strings.Repeat("x", 80<<10) + "\r\n\r\n", "431"},
		{"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "400"},
		{"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", "400"},
		{"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: strange\r\n\r\n", "501"},
		{"POST " + openaiPath + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nnot a length\r\n", `"Family":"openai"`},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t, nil)
			p, client, stop := h.open(t)
			if got, _ := rawly(t, p, func(w io.Writer) { io.WriteString(w, c.head) }); !strings.Contains(got, c.want) {
				t.Errorf("%.100q: %.300q, want %s", c.head, got, c.want)
			}
			res, err := client.Get(local + "/healthz")
			if body := bodyOf(t, res, err); body != "ok\n" {
				t.Errorf("the server is not well afterwards: %s", body)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(o *Options) { o.Timeout = time.Minute })
		defer h.fake.Pause()()
		for _, c := range []struct {
			header string
			after  time.Duration
		}{{"", time.Minute}, {"10", 10 * time.Second}, {"1.5", 1500 * time.Millisecond}, {"3600", time.Minute}} {
			start := time.Now()
			w := ask(h, "POST", local+openaiPath, "a b", "X-Server-Timeout", c.header)
			if took := time.Since(start); took != c.after || !strings.Contains(w.Body.String(), "deadline exceeded") {
				t.Errorf("asked for %q: after %s %s", c.header, took, w.Body)
			}
		}
		for _, bad := range []string{"soon", "-1", "0", "NaN", "Inf", "1e999"} {
			w := ask(h, "POST", local+geminiPath, "a b", "X-Server-Timeout", bad)
			wantWire(t, w.Code, w.Body.String(), "gemini", 400, "x-server-timeout")
		}
	})
}

func TestMaxConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(o *Options) { o.MaxConns = 1 })
		p, client, _ := h.open(t)
		first, err := p.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan string)
		go func() {
			res, err := client.Get(local + "/healthz")
			got <- bodyOf(t, res, err)
		}()
		synctest.Wait()
		select {
		case body := <-got:
			t.Fatalf("served beside the first: %s", body)
		default:
		}
		first.Close()
		if body := <-got; body != "ok\n" {
			t.Errorf("%q", body)
		}
	})
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		_, client, stop := h.open(t)
		resume := h.fake.Pause()
		res, err := say(t.Context(), client, openaiPath, "one two three")
		if err != nil {
			t.Fatal(err)
		}
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		synctest.Wait()
		ready, err := client.Get(local + "/readyz")
		if body := bodyOf(t, ready, err); ready.StatusCode != 503 || ready.Header.Get("Retry-After") == "" {
			t.Errorf("ready: %d %s", ready.StatusCode, body)
		}
		alive, err := client.Get(local + "/healthz")
		if body := bodyOf(t, alive, err); alive.StatusCode != 200 {
			t.Errorf("alive: %d %s", alive.StatusCode, body)
		}
		late, err := say(t.Context(), client, geminiPath, "one more")
		wantWire(t, late.StatusCode, bodyOf(t, late, err), "gemini", 503, "shutting down")
		select {
		case err := <-stopped:
			t.Fatalf("gone while a request runs: %v", err)
		default:
		}
		resume()
		if body := bodyOf(t, res, nil); body != "one two three" {
			t.Errorf("%q", body)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestShutdownAfterTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, func(o *Options) { o.Grace = time.Minute })
		_, client, stop := h.open(t)
		h.fake.Pause()
		res, err := say(t.Context(), client, openaiPath, "one two three")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		// Time stands still while two wait for the same stop.
		stopped := make(chan error, 1)
		go func() { stopped <- stop() }()
		if body := bodyOf(t, res, nil); body != "one  error: the server is shutting down" || time.Since(start) != time.Minute {
			t.Errorf("after %s %q", time.Since(start), body)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if strings.Contains(h.logs.String(), `"left":true`) {
			t.Errorf("the client is said to have left:\n%s", h.logs)
		}
	})
}

func TestPanics(t *testing.T) {
	h := newHouse(t, nil)
	for path, family := range map[string]string{geminiPath: "gemini", openaiPath: "openai"} {
		w := ask(h, "POST", local+path+"?do=panic", "private question", "X-Request-Id", "req-7")
		wantWire(t, w.Code, w.Body.String(), family, 500, "req-7")
	}
	log := h.logs.String()
	if !strings.Contains(log, "testFamily") || !strings.Contains(log, `"status":500`) {
		t.Errorf("no stack in the log:\n%s", log)
	}
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, nil)
		_, client, _ := h.open(t)
		res, err := say(t.Context(), client, openaiPath+"?do=panic+late", "")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if data, err := io.ReadAll(res.Body); err == nil {
			t.Errorf("a cut answer looks whole: %q", data)
		}
	})
}

func TestLogs(t *testing.T) {
	h := newHouse(t, nil)
	secret := h.add(t, "ann", KeyLimits{})
	const question = "where is the private treasure"
	w := ask(h, "POST", local+geminiPath+"?alt=sse&key="+secret, question, "X-Request-Id", "my-request.1")
	if w.Code != 200 || w.Header().Get("X-Request-Id") != "my-request.1" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	var line map[string]any
	if err := json.Unmarshal([]byte(h.logs.String()), &line); err != nil {
		t.Fatalf("%v:\n%s", err, h.logs)
	}
	for k, want := range map[string]any{
		"id": "my-request.1", "method": "POST", "route": "/v1beta/models/{id}:generateContent", "status": 200.0, "bytes": float64(len(question)),
		"key": "ann", "prompt_tokens": 5.0, "cached_tokens": 0.0, "answer_tokens": 5.0, "level": "INFO",
	} {
		if line[k] != want {
			t.Errorf("%s is %v, want %v", k, line[k], want)
		}
	}
	for _, id := range []string{"", "a b", "a\r\nb", strings.Repeat("x", 65), "ä", `"`} {
		if got := ask(h, "GET", local+"/healthz", "", "X-Request-Id", id).Header().Get("X-Request-Id"); got == id || len(got) < 16 {
			t.Errorf("ID %q for %q", got, id)
		}
	}
	h.fake.Fail("Generate", backend.Errorf(backend.Internal, "something broke: %w", fmt.Errorf("the disk is on fire")))
	ask(h, "POST", local+openaiPath, question, "X-Goog-Api-Key", secret)
	h.fake.Fail("Generate", backend.Errorf(backend.Invalid, "no: %w", fmt.Errorf("a quotation of the client's")))
	ask(h, "POST", local+openaiPath, question, "X-Goog-Api-Key", secret)
	ask(h, "WEIRD", local+"/v1/files/my-private-name?q=private", question, "X-Goog-Api-Key", secret)
	log := h.logs.String()
	if !strings.Contains(log, "the disk is on fire") || !strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("no reason in the log:\n%s", log)
	}
	for _, no := range []string{"private", "treasure", secret, "alt=sse", "quotation", "WEIRD"} {
		if strings.Contains(log, no) {
			t.Errorf("the log has %q:\n%s", no, log)
		}
	}
}

func TestMetrics(t *testing.T) {
	h := newHouse(t, nil)
	ask(h, "POST", local+openaiPath, "two words")
	ask(h, "POST", local+openaiPath, "two words")
	ask(h, "GET", local+"/v1/models/"+strings.Repeat("x", 50), "")
	ask(h, "POST", local+"/v1/chat/completions", "hi", "Origin", "http://evil.example")
	w := ask(h, "GET", local+"/metrics", "")
	got := make(map[string]bool)
	for s := bufio.NewScanner(w.Body); s.Scan(); {
		got[s.Text()] = true
	}
	for _, want := range []string{
		`handscroll_http_requests_total{route="/v1/chat/completions",status="200"} 2`,
		`handscroll_http_requests_total{route="/v1/chat/completions",status="403"} 1`,
		`handscroll_http_request_duration_seconds_count{route="/v1/models/{id}"} 1`,
		`handscroll_http_requests_in_flight 1`,
		`handscroll_prefill_tokens_total 3`,
		`handscroll_cached_tokens_total 1`,
		`handscroll_decode_tokens_total 4`,
		`handscroll_prefix_cache_hits_total 1`,
		`handscroll_models_loaded 3`,
		fmt.Sprintf(`go_info{version="%s"} 1`, runtime.Version()),
	} {
		if !got[want] {
			t.Errorf("no line %s", want)
		}
	}
	if w := ask(h, "POST", local+"/metrics", ""); w.Code != 405 {
		t.Errorf("POST: %d", w.Code)
	}
}

// BenchmarkRequest is what the server adds to a request, beside the family alone.
func BenchmarkRequest(b *testing.B) {
	h := newHouse(b, func(o *Options) { o.Log = nil })
	key := h.add(b, "ann", KeyLimits{RequestsPerMinute: 1 << 30})
	for name, handler := range map[string]http.Handler{"server": h, "family": h.o.OpenAI} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if w := ask(handler, "POST", local+openaiPath+"?do=owner", "hi", "Authorization", "Bearer "+key); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
