// Package gemini holds Handscroll to the Gemini API by Google's own SDKs, unchanged: Go's
// genai here, npm's @google/genai in gemini.test.mjs, which TestNode runs. It is a module
// of its own, so that the program does not depend on them.
//
// The server is HANDSCROLL_URL, or one that is started from HANDSCROLL_BIN; without
// either it is the handler over a backend that needs no model, built from the module
// two folders up, and only then is everything tested that a model decides.
//
// Tests that kill the server and start it again need HANDSCROLL_BIN; with -million their
// contexts have a million tokens.
package gemini
