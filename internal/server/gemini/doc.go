// Package gemini serves the v1beta family of the Gemini API over a [backend.Backend]:
// models, generateContent and its streams, countTokens, embeddings, files with resumable
// upload, and cachedContents, which are stored contexts.
//
// # What is read
//
// Bodies follow the rules of proto JSON, as the public API takes them: lowerCamelCase and
// snake_case names, both alphabets of base64, numbers as strings, enums as names or
// numbers, one value where a list is expected. Unknown fields are ignored. What would
// change the answer if it were ignored is an error that names the field: a part or a tool
// of an unsupported kind, audio as an answer, a schema's keyword that is not enforced.
//
// Known fields without an effect here are accepted, because nothing is lost by it:
// safetySettings (nothing is ever blocked), thinkingConfig (no thoughts are made, so every
// budget is kept), mediaResolution (pictures are always looked at whole and at their own
// size), labels, thoughtSignature, taskType of embeddings (one vector serves all tasks).
// Where temperature is not given it is 0: the likeliest answer, which can be had again.
//
// # What is added
//
// SDKs pass over what they do not know, so answers have more than the public API's: of a
// candidate "evidence" (the exact places: source, uri, page, line, offset, time, quote,
// weight) and "found"; of a cachedContent "sources"; of both "skipped" (count, and of the
// first few source and reason: what files hold and was not read); and in streams "progress" while a
// prompt is read, if the query has progress=true or the header X-Handscroll-Progress is
// true. POST cachedContents?alt=sse streams progress and then the cachedContent.
//
// Evidence, "found", citationMetadata and groundingMetadata are of native models (of a
// model "native" is true): answers of open weights are in their own words, and lack them.
// Embeddings are of open weights alone (supportedGenerationMethods says of which); of a
// native model they are an error.
//
// A Handler may be used by any number of goroutines. The owner of what a request touches
// is [backend.Owner] of its context; keys are the server's to check.
package gemini
