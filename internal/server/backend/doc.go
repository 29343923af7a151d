// Package backend is what the API families share: models, uploaded files, stored
// contexts, and requests in one neutral form.
//
// A family (server/gemini, server/openai) translates its wire format to a
// [Request] and back from [Event] and [Response]; it knows nothing of models.
// What goes wrong is an [*Error], whose [Kind] each family writes in its own way.
//
// A [Backend] may be used by any number of goroutines.
package backend
