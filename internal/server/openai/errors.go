package openai

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/handscroll/handscroll/internal/server/backend"
)

// wireError is an error as it is sent.
type wireError struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

// kinds says how each kind of error is sent.
var kinds = map[backend.Kind]struct {
	status    int
	typ, code string
}{
	backend.Invalid:      {http.StatusBadRequest, "invalid_request_error", ""},
	backend.Precondition: {http.StatusBadRequest, "invalid_request_error", "failed_precondition"},
	backend.TooLong:      {http.StatusBadRequest, "invalid_request_error", "context_length_exceeded"},
	backend.Unauthorized: {http.StatusUnauthorized, "authentication_error", "invalid_api_key"},
	backend.Forbidden:    {http.StatusForbidden, "permission_error", "forbidden"},
	backend.NotFound:     {http.StatusNotFound, "invalid_request_error", "not_found"},
	backend.TooSlow:      {http.StatusRequestTimeout, "invalid_request_error", "request_timeout"},
	backend.Conflict:     {http.StatusConflict, "invalid_request_error", "conflict"},
	backend.TooLarge:     {http.StatusRequestEntityTooLarge, "invalid_request_error", "request_too_large"},
	backend.Unsupported:  {http.StatusUnsupportedMediaType, "invalid_request_error", "unsupported_content"},
	backend.Busy:         {http.StatusTooManyRequests, "rate_limit_error", "rate_limit_exceeded"},
	backend.Internal:     {http.StatusInternalServerError, "server_error", ""},
	backend.Unavailable:  {http.StatusServiceUnavailable, "server_error", "unavailable"},
	backend.Deadline:     {http.StatusGatewayTimeout, "server_error", "timeout"},
}

// wire is how an error is sent, and with which status.
func wire(e *backend.Error) (wireError, int) {
	k, ok := kinds[e.Kind]
	if !ok {
		k = kinds[backend.Internal]
	}
	if e.Kind == backend.NotFound && e.Param == "model" {
		k.code = "model_not_found"
	}
	w := wireError{Message: e.Message, Type: k.typ}
	if e.Param != "" {
		w.Param = &e.Param
	}
	if k.code != "" {
		w.Code = &k.code
	}
	return w, k.status
}

// WriteError answers a request with an error in OpenAI's form.
func WriteError(w http.ResponseWriter, e *backend.Error) {
	body, status := wire(e)
	if e.RetryAfter > 0 || e.Kind == backend.Busy {
		w.Header().Set("Retry-After", strconv.FormatInt(retrySeconds(e.RetryAfter), 10))
	}
	writeJSON(w, status, map[string]wireError{"error": body})
}

// retrySeconds rounds up: who comes back on the second must not be early.
func retrySeconds(d time.Duration) int64 {
	return max(1, int64(math.Ceil(d.Seconds())))
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil { // of what is made here, only a number that is not one
		status = http.StatusInternalServerError
		data = []byte(`{"error":{"message":"the answer cannot be written as JSON","type":"server_error","param":null,"code":null}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The client has left, or it has not; there is nobody else to tell.
	_, _ = w.Write(append(data, '\n'))
}

// asError says of any error what may be shown of it.
func asError(err error) *backend.Error {
	var e *backend.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e) && e.Kind == backend.TooLarge:
		return e
	case errors.As(err, &tooLarge): // also where a backend met it while reading
		return &backend.Error{Kind: backend.TooLarge, Err: err,
			Message: fmt.Sprintf("the request is larger than the %d bytes that are allowed", tooLarge.Limit)}
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return &backend.Error{Kind: backend.Deadline, Message: "the answer took longer than is allowed", Err: err}
	}
	return &backend.Error{Kind: backend.Internal, Message: "internal error", Err: err}
}

// invalid says that a field makes no sense; param may be empty.
func invalid(param, format string, args ...any) *backend.Error {
	e := backend.Errorf(backend.Invalid, format, args...)
	if e.Param = param; param != "" {
		e.Message = param + ": " + e.Message
	}
	return e
}
