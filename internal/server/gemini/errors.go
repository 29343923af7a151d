package gemini

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

// status is how a kind of error looks on the wire.
type status struct {
	code   int
	name   string // of google.rpc.Code
	reason string // of google.rpc.ErrorInfo
}

var statuses = map[backend.Kind]status{
	backend.Invalid:      {http.StatusBadRequest, "INVALID_ARGUMENT", "INVALID_REQUEST"},
	backend.Precondition: {http.StatusBadRequest, "FAILED_PRECONDITION", "NOT_READY"},
	backend.TooLong:      {http.StatusBadRequest, "INVALID_ARGUMENT", "PROMPT_TOO_LONG"},
	backend.Unauthorized: {http.StatusUnauthorized, "UNAUTHENTICATED", "API_KEY_INVALID"},
	backend.Forbidden:    {http.StatusForbidden, "PERMISSION_DENIED", "FORBIDDEN"},
	backend.NotFound:     {http.StatusNotFound, "NOT_FOUND", "NOT_FOUND"},
	backend.TooSlow:      {http.StatusRequestTimeout, "DEADLINE_EXCEEDED", "TOO_SLOW"},
	backend.Conflict:     {http.StatusConflict, "ABORTED", "CONFLICT"},
	backend.TooLarge:     {http.StatusRequestEntityTooLarge, "INVALID_ARGUMENT", "TOO_LARGE"},
	backend.Unsupported:  {http.StatusBadRequest, "INVALID_ARGUMENT", "UNSUPPORTED"},
	backend.Busy:         {http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"},
	backend.Internal:     {http.StatusInternalServerError, "INTERNAL", "INTERNAL"},
	backend.Unavailable:  {http.StatusServiceUnavailable, "UNAVAILABLE", "UNAVAILABLE"},
	backend.Deadline:     {http.StatusGatewayTimeout, "DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED"},
}

// cancelled is the status of a request that its client has given up; few will see it.
var cancelled = status{499, "CANCELLED", "CANCELLED"}

type errorBody struct {
	Error apiError `json:"error"`
}

type apiError struct {
	Code    int           `json:"code"`
	Message string        `json:"message"`
	Status  string        `json:"status"`
	Details []errorDetail `json:"details,omitempty"`
}

// errorDetail is one of google.rpc's error details.
type errorDetail struct {
	Type       string      `json:"@type"`
	Reason     string      `json:"reason,omitempty"`
	Domain     string      `json:"domain,omitempty"`
	Violations []violation `json:"fieldViolations,omitempty"`
	RetryDelay string      `json:"retryDelay,omitempty"`
}

type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

const rpcTypes = "type.googleapis.com/google.rpc."

func bodyOf(e *backend.Error, s status) errorBody {
	out := apiError{Code: s.code, Message: e.Message, Status: s.name}
	out.Details = append(out.Details, errorDetail{Type: rpcTypes + "ErrorInfo", Reason: s.reason, Domain: "handscroll"})
	if e.Param != "" {
		out.Details = append(out.Details, errorDetail{Type: rpcTypes + "BadRequest", Violations: []violation{{e.Param, e.Message}}})
	}
	if e.RetryAfter > 0 {
		out.Details = append(out.Details, errorDetail{Type: rpcTypes + "RetryInfo", RetryDelay: durationText(e.RetryAfter)})
	}
	return errorBody{out}
}

// WriteError answers with an error in the family's form. Nothing may have been written
// before.
func WriteError(w http.ResponseWriter, err *backend.Error) {
	s, ok := statuses[err.Kind]
	if !ok {
		s = statuses[backend.Internal]
	}
	writeStatus(w, err, s)
}

func writeStatus(w http.ResponseWriter, err *backend.Error, s status) {
	if err.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(int64(math.Ceil(err.RetryAfter.Seconds())), 10))
	}
	writeJSON(w, s.code, bodyOf(err, s))
}

// failure is an error as it goes to the client. What is no [*backend.Error] and no end of
// a context is the server's own fault: the log has it, the client does not.
func (h *handler) failure(r *http.Request, err error) (*backend.Error, status) {
	var be *backend.Error
	switch {
	case errors.As(err, &be):
		if be.Kind == backend.Internal || be.Err != nil {
			h.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err, "cause", be.Err)
		}
	case errors.As(context.Cause(r.Context()), &be): // the server's reason to stop it
	case errors.Is(err, context.DeadlineExceeded):
		be = backend.Errorf(backend.Deadline, "the request took longer than its deadline allows")
	case errors.Is(err, context.Canceled):
		return backend.Errorf(backend.Internal, "the client has given up the request"), cancelled
	default:
		h.log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "err", err)
		be = backend.Errorf(backend.Internal, "internal error; the server's log says more")
	}
	s, ok := statuses[be.Kind]
	if !ok {
		s = statuses[backend.Internal]
	}
	return be, s
}

// invalid is an error about a field of the request.
func invalid(param, format string, args ...any) error {
	return fieldErrorf(backend.Invalid, param, format, args...)
}

// unsupported is an error about a field that this server cannot honour.
func unsupported(param, format string, args ...any) error {
	return fieldErrorf(backend.Unsupported, param, format, args...)
}

func fieldErrorf(k backend.Kind, param, format string, args ...any) error {
	return &backend.Error{Kind: k, Param: param, Message: param + ": " + fmt.Sprintf(format, args...)}
}

// writeJSON answers with v. The client may be gone, which is nobody's error.
func writeJSON(w http.ResponseWriter, code int, v any) {
	data, err := json.Marshal(v)
	if err != nil { // the types of this package always marshal, but for the client's raw JSON
		code, data = http.StatusInternalServerError, []byte(`{"error":{"code":500,"message":"internal error: an answer that is no JSON","status":"INTERNAL"}}`)
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	w.WriteHeader(code)
	_, _ = w.Write(data)
}

// durationText writes a duration as proto JSON has it: "1.5s".
func durationText(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}
