// Package server is what stands around the API families: one address, keys, limits,
// logs and metrics.
//
// A request passes, in this order: the request's ID and record, the check of Host and
// Origin, the key, the key's limits, the body's limits and the deadline; then the family
// that its path belongs to has it. What is refused on the way is written in the form of
// that family. Families are whole handlers and come from outside ([Options]); the
// backend they ask should be wrapped by [Meter], which is how the server knows what a
// request took.
//
//	/v1beta/openai/, /v1/         OpenAI
//	/v1beta/, /upload/            Gemini
//	/healthz, /readyz, /metrics   this package
//	everything else               the studio, static and without a key
//
// Logs and metrics hold no content, no query strings and no keys.
//
// A [Server] and [Keys] may be used by any number of goroutines.
package server
