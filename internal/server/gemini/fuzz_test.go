package gemini

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/handscroll/handscroll/internal/server/backend/backendtest"
)

// FuzzGenerateContent sends bodies to every method that takes one. Each answers with JSON
// and a status of the API, and none is the server's own fault.
func FuzzGenerateContent(f *testing.F) {
	for _, body := range []string{
		`{}`, `[]`, `{"contents":`, question("one two"),
		`{"contents":{"parts":{"text":"a"}},"generation_config":{"top_k":"40","candidate_count":2,"stop_sequences":["x"]}}`,
		`{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":[1]}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}]}`,
		`{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"-_8="},"videoMetadata":{"fps":1,"startOffset":"1.5s"}}]}]}`,
		`{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"OBJECT","nullable":true,"properties":{"a":{"anyOf":[{"type":"STRING","enum":["b"]},{"type":"ARRAY","items":{"type":"INTEGER","enum":["1"]}}]}},"propertyOrdering":["a"]}}}`,
		`{"contents":[{"parts":[{"text":"x"}]}],"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}}`,
		`{"model":"models/handscroll","contents":[{"parts":[{"text":"x"}]}],"ttl":"3.5s","displayName":"d"}`,
		`{"requests":[{"content":{"parts":[{"text":"x"}]},"outputDimensionality":3}]}`,
		`{"generateContentRequest":{"contents":[{"parts":[{"fileData":{"fileUri":"files/a"}}]}],"cachedContent":"cachedContents/b"}}`,
		`{"file":{"name":"files/a","displayName":"b","mimeType":"c"}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		h := New(backendtest.New(), Options{MaxBody: 1 << 20})
		for _, path := range []string{
			native + ":generateContent", native + ":streamGenerateContent", native + ":countTokens", native + ":embedContent",
			native + ":batchEmbedContents", "/v1beta/cachedContents", "/upload/v1beta/files",
		} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.Header.Set("X-Goog-Upload-Protocol", "resumable")
			r.Header.Set("X-Goog-Upload-Command", "start")
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			switch rec.Code {
			case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusConflict:
			default:
				t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
			}
			if rec.Body.Len() > 0 && !json.Valid(rec.Body.Bytes()) {
				t.Errorf("%s: no JSON: %q", path, rec.Body)
			}
			if rec.Code != http.StatusOK {
				var e errorBody
				if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil || e.Error.Code != rec.Code || e.Error.Message == "" {
					t.Errorf("%s: error %s", path, rec.Body)
				}
			}
		}
	})
}
