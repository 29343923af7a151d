package gemini

import (
	"net/http"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// TestMain also makes the test program a server for conformance/gemini.
func TestMain(m *testing.M) {
	backendtest.Main(m.Run, func(b backend.Backend) backendtest.Family {
		key := func(r *http.Request) string { return r.Header.Get("X-Goog-Api-Key") }
		return backendtest.Family{Handler: New(b, Options{MaxBody: 1 << 20}), Key: key, WriteError: WriteError}
	})
}
