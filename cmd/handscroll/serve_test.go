package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// served is a server that runs.
type served struct {
	t        *testing.T
	url      string
	greeting string
	logs     *bytes.Buffer // to be read when it has ended
	stop     func() int    // ends it, and returns its exit code
	client   *http.Client
	key      string
}

// serve starts a server on a free port and waits until it says where it is.
func (h *house) serve(args ...string) *served {
	h.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	s := &served{t: h.t, logs: new(bytes.Buffer), client: http.DefaultClient}
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--addr", "127.0.0.1:0", "--model", "tiny=" + h.model}, args...), nil, w, s.logs)
		w.Close()
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		s.greeting += lines.Text() + "\n"
		if url, ok := strings.CutPrefix(lines.Text(), "Handscroll serves "); ok {
			s.url = url
		}
		if strings.HasPrefix(lines.Text(), "Ctrl-C") {
			break
		}
	}
	s.stop = sync.OnceValue(func() int {
		cancel()
		go io.Copy(io.Discard, r)
		return <-code
	})
	h.t.Cleanup(func() { s.stop() })
	if s.url == "" {
		h.t.Fatalf("no address in %q; exit code %d, %s", s.greeting, s.stop(), s.logs)
	}
	return s
}

// ask sends JSON and returns the status and the answer as it is.
func (s *served) ask(method, path, body string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if s.key != "" {
		r.Header.Set("Authorization", "Bearer "+s.key)
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, string(data)
}

// want fails unless the answer has the status and each of texts.
func (s *served) want(status int, method, path, body string, texts ...string) string {
	s.t.Helper()
	got, answer := s.ask(method, path, body)
	if got != status {
		s.t.Errorf("%s %s: status %d, want %d: %s", method, path, got, status, answer)
	}
	for _, x := range texts {
		if !strings.Contains(answer, x) {
			s.t.Errorf("%s %s: no %q in %s", method, path, x, answer)
		}
	}
	return answer
}

const (
	geminiBody = `{"contents":[{"role":"user","parts":[{"text":"The gate code is 7421. What is the gate code?"}]}]}`
	openaiBody = `{"model":"tiny","messages":[{"role":"user","content":"The gate code is 7421. What is the gate code?"}]}`
)

func TestServe(t *testing.T) {
	h := newHouse(t)
	s := h.serve()
	for _, text := range []string{"GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:", "/v1 OPENAI_API_KEY=local", "tiny (", filepath.Join(h.dir, "home", "server")} {
		if !strings.Contains(s.greeting, text) {
			t.Errorf("no %q in\n%s", text, s.greeting)
		}
	}
	s.want(200, "GET", "/healthz", "", "ok")
	s.want(200, "GET", "/readyz", "", "ok")
	s.want(200, "GET", "/", "", "<html")
	s.want(200, "GET", "/v1beta/models", "", "models/tiny")
	s.want(200, "GET", "/v1/models", "", `"tiny"`)
	s.want(200, "POST", "/v1beta/models/tiny:generateContent", geminiBody, "candidates", "promptTokenCount")
	s.want(200, "POST", "/v1/chat/completions", openaiBody, "choices", "prompt_tokens")
	s.want(200, "POST", "/v1beta/openai/chat/completions", openaiBody, "choices")
	s.want(404, "POST", "/v1beta/models/huge:generateContent", geminiBody, "NOT_FOUND", "tiny")
	s.want(404, "POST", "/v1/chat/completions", strings.Replace(openaiBody, "tiny", "huge", 1), "model_not_found", "tiny")
	s.want(200, "GET", "/metrics", "", `handscroll_http_requests_total{route="/v1/chat/completions",status="200"} 1`, "handscroll_models_loaded 1")
	if code := s.stop(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	log := s.logs.String()
	if !strings.Contains(log, "route=/v1/chat/completions") || !strings.Contains(log, "prompt_tokens=") || strings.Contains(log, "7421") {
		t.Errorf("log:\n%s", log)
	}
}

// A context is on disk: another server goes on with it.
func TestServeKeepsContexts(t *testing.T) {
	h := newHouse(t)
	s := h.serve("--no-studio")
	var made struct{ Name string }
	answer := s.want(200, "POST", "/v1beta/cachedContents", `{"model":"models/tiny","ttl":"600s","contents":[{"role":"user","parts":[{"text":"`+strings.Repeat("the gate is green ", 100)+`"}]}]}`, "cachedContents/")
	if err := json.Unmarshal([]byte(answer), &made); err != nil {
		t.Fatal(err)
	}
	s.want(404, "GET", "/", "")
	if code := s.stop(); code != exitOK {
		t.Fatalf("exit code %d: %s", code, s.logs)
	}
	s = h.serve()
	s.want(200, "GET", "/v1beta/"+made.Name, "", made.Name)
	s.want(200, "POST", "/v1beta/models/tiny:generateContent", `{"cachedContent":"`+made.Name+`","contents":[{"role":"user","parts":[{"text":"What is green?"}]}]}`, "cachedContentTokenCount")
}

func TestServeWithKeys(t *testing.T) {
	h := newHouse(t)
	s := h.serve("--log-format", "json", "--max-body", "1kB", "--cors", "https://app.example")
	s.want(200, "POST", "/v1/chat/completions", openaiBody)
	key := strings.TrimSpace(h.want(exitOK, []string{"keys", "add", "ann", "--requests-per-minute", "4"}))
	s.want(401, "POST", "/v1beta/models/tiny:generateContent", geminiBody, `"UNAUTHENTICATED"`)
	s.want(401, "POST", "/v1/chat/completions", openaiBody, `"invalid_api_key"`)
	s.want(401, "GET", "/metrics", "")
	s.key = key
	s.want(200, "POST", "/v1beta/models/tiny:generateContent", geminiBody)
	s.want(413, "POST", "/v1/chat/completions", strings.Repeat(" ", 2000), "1000 bytes")
	s.want(413, "POST", "/v1beta/models/tiny:generateContent", strings.Repeat(" ", 2000), "1000 bytes")
	s.want(200, "GET", "/v1/models", "")
	s.want(429, "POST", "/v1beta/models/tiny:generateContent", geminiBody, "RESOURCE_EXHAUSTED", "4 requests a minute")
	s.want(429, "POST", "/v1/chat/completions", openaiBody, "4 requests a minute")
	if code := s.stop(); code != exitOK || strings.Contains(s.logs.String(), key) {
		t.Errorf("exit code %d, log:\n%s", code, s.logs)
	}
	again := h.serve()
	if !strings.Contains(again.greeting, "YOUR-KEY") {
		t.Errorf("greeting:\n%s", again.greeting)
	}
}

func TestServeHTTPS(t *testing.T) {
	h := newHouse(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	certFile, keyFile := h.file("cert.pem", cert), h.file("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	s := h.serve("--tls-cert", certFile, "--tls-key", keyFile)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(cert))
	tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer tr.CloseIdleConnections()
	s.client = &http.Client{Transport: tr}
	s.want(200, "POST", "/v1/chat/completions", openaiBody, "choices")
	s.want(200, "POST", "/v1/chat/completions", strings.Replace(openaiBody, "{", `{"stream":true,`, 1), "data: [DONE]")
}

func TestServeRefuses(t *testing.T) {
	h := newHouse(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, c := range []struct {
		code int
		args []string
		text string
	}{
		{exitError, []string{"--addr", "0.0.0.0:0"}, "handscroll keys add NAME"},
		{exitError, []string{"--addr", ":0"}, "handscroll keys add NAME"},
		{exitError, []string{"--addr", taken.Addr().String()}, "--addr"},
		{exitUsage, []string{"--addr", "8080"}, "want host:port"},
		{exitUsage, []string{"--model", "just-a-name"}, "want NAME=FILE"},
		{exitError, []string{"--addr", "127.0.0.1:0", "--model", "a=" + filepath.Join(h.dir, "gone.gguf")}, "gone.gguf"},
		{exitUsage, []string{"--log-format", "xml"}, "want text or json"},
		{exitUsage, []string{"--queue", "0"}, "--queue must be at least 1"},
		{exitUsage, []string{"--timeout", "-1s"}, "--timeout must be"},
		{exitUsage, []string{"--max-wait", "-1s"}, "--max-wait must be"},
		{exitUsage, []string{"--addr", "127.0.0.1:0", "--model", "tiny=" + h.model, "--cors", "example.org"}, "want scheme, host"},
		{exitUsage, []string{"--tls-cert", "cert.pem"}, "go together"},
		{exitError, []string{"--tls-cert", h.file("c.pem", "x"), "--tls-key", h.file("k.pem", "x")}, "--tls-cert"},
		{exitUsage, []string{"stray"}, "accepts 0 arg"},
	} {
		h.want(c.code, append([]string{"serve"}, c.args...), c.text)
	}
}
