// Package openai holds Handscroll to OpenAI's API by OpenAI's own SDKs, unchanged:
// openai-go here, npm's openai in openai.test.mjs, which TestNode runs. It is a module
// of its own, so that the program does not depend on them.
//
// The server is HANDSCROLL_URL, or one that is started from HANDSCROLL_BIN; without
// either it is the handler over a backend that needs no model, built from the module
// two folders up, and only then is everything tested that a model decides. Go does not
// see what the environment says here: give its tests -count=1.
package openai
