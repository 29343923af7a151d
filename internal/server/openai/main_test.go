package openai

import (
	"net/http"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend"
	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// TestMain also makes the test program a server for conformance/openai.
func TestMain(m *testing.M) {
	backendtest.Main(m.Run, func(b backend.Backend) backendtest.Family {
		key := func(r *http.Request) string { return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ") }
		return backendtest.Family{Handler: http.MaxBytesHandler(New(b, Options{}), 8<<20), Key: key, WriteError: WriteError}
	})
}
