package openai

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/servertest"
	sdk "github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

var server *servertest.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = servertest.Find("openai"); err != nil {
		fmt.Fprintln(os.Stderr, "conformance/openai:", err)
		os.Exit(1)
	}
	code := m.Run()
	server.Stop()
	os.Exit(code)
}

// client is the SDK, pointed at one of the two places where the API is.
func client(prefix string, more ...option.RequestOption) *sdk.Client {
	c := sdk.NewClient(append([]option.RequestOption{
		option.WithBaseURL(server.URL + prefix), option.WithAPIKey(servertest.Key()), option.WithMaxRetries(0),
	}, more...)...)
	return &c
}

// needFake skips what a model's answer decides where the answers are a model's.
func needFake(t *testing.T) {
	t.Helper()
	if !server.Fake {
		t.Skip("what comes back is up to the model; only the fake backend's is known")
	}
}

// said checks an answer: the fake's exactly, a model's for being there.
func said(t *testing.T, got, want string) {
	t.Helper()
	if server.Fake && got != want || got == "" {
		t.Errorf("answer %q, want %q", got, want)
	}
}

// model is the server's default model.
func model(t *testing.T) string {
	t.Helper()
	c := client("/v1/")
	page, err := c.Models.List(t.Context())
	if err != nil || len(page.Data) == 0 {
		t.Fatalf("no models: %v", err)
	}
	return page.Data[0].ID
}

// must returns v, or ends the test.
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError checks an error of the SDK.
func wantError(t *testing.T, err error, status int, code, param, text string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) {
		t.Errorf("%v (%T), want an error of the API with status %d", err, err, status)
		return
	}
	if e.StatusCode != status || e.Code != code || e.Param != param || !strings.Contains(e.Message, text) || e.Type == "" {
		t.Errorf("status %d, code %q, param %q, type %q, %q; want %d, %q, %q, %q", e.StatusCode, e.Code, e.Param, e.Type, e.Message, status, code, param, text)
	}
}

// TestNode runs the same by npm's openai.
func TestNode(t *testing.T) {
	server.Node(t, "openai.test.mjs")
}
