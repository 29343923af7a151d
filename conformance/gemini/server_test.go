package gemini

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/servertest"
	"google.golang.org/genai"
)

var server *servertest.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = servertest.Find("gemini"); err != nil {
		fmt.Fprintln(os.Stderr, "conformance/gemini:", err)
		os.Exit(1)
	}
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

// client is the SDK, pointed at the server; header has pairs of names and values.
func client(t *testing.T, header ...string) *genai.Client {
	t.Helper()
	return clientOf(t, servertest.Key(), header...)
}

func clientOf(t *testing.T, key string, header ...string) *genai.Client {
	t.Helper()
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	c, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: server.URL, Headers: h},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// needFake skips what a model's answer decides where the answers are a model's.
func needFake(t *testing.T) {
	t.Helper()
	if !server.Fake {
		t.Skip("what comes back is up to the model; only the fake backend's is known")
	}
}

// said checks an answer: the fake repeats the question, a model says what it found.
func said(t *testing.T, got, question, answer string) {
	t.Helper()
	if server.Fake && got != question || !server.Fake && !strings.Contains(got, answer) {
		t.Errorf("the answer to %q is %q, want %q", question, got, answer)
	}
}

// model is the server's default model.
func model(t *testing.T, c *genai.Client) string {
	t.Helper()
	page, err := c.Models.List(t.Context(), nil)
	if err != nil || len(page.Items) == 0 {
		t.Fatalf("no models: %v", err)
	}
	return page.Items[0].Name
}

func ptr[T any](v T) *T { return &v }

// wantError checks an error of the SDK, and that it says all of texts.
func wantError(t *testing.T, err error, code int, status string, texts ...string) {
	t.Helper()
	var e genai.APIError
	if !errors.As(err, &e) {
		t.Errorf("%v (%T), want an error of the API with code %d", err, err, code)
		return
	}
	if e.Code != code || e.Status != status {
		t.Errorf("code %d, status %q, %q; want %d, %q", e.Code, e.Status, e.Message, code, status)
	}
	for _, text := range texts {
		if !strings.Contains(e.Message, text) {
			t.Errorf("the error %q does not say %q", e.Message, text)
		}
	}
	if len(e.Details) == 0 || !strings.HasPrefix(fmt.Sprint(e.Details[0]["@type"]), "type.googleapis.com/google.rpc.") {
		t.Errorf("details %v", e.Details)
	}
}

// TestNode runs the same by npm's @google/genai.
func TestNode(t *testing.T) {
	server.Node(t, "gemini.test.mjs")
}
