package gemini

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/genai"
)

// upload stores a file and waits until it is read.
func upload(t *testing.T, c *genai.Client, content, mimeType, name string) *genai.File {
	t.Helper()
	f, err := c.Files.Upload(t.Context(), strings.NewReader(content), &genai.UploadFileConfig{MIMEType: mimeType, DisplayName: name})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); f.State == genai.FileStateProcessing; {
		if time.Now().After(end) {
			t.Fatalf("%s is still being processed", f.Name)
		}
		time.Sleep(50 * time.Millisecond) // as clients do: the API has no other way to wait
		if f, err = c.Files.Get(t.Context(), f.Name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if f.State != genai.FileStateActive {
		t.Fatalf("%s is %s: %+v", f.Name, f.State, f.Error)
	}
	return f
}

func TestFiles(t *testing.T) {
	c := client(t)
	const chunk = 8 << 20
	line := "All work and no play makes Jack a dull boy, said the parrot again.\n"
	book := strings.Repeat(line, chunk/len(line)+10)
	for _, size := range []int{len(line), chunk, chunk + 1} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			content := book[:size]
			f := upload(t, c, content, "text/plain", "jack.txt")
			digest := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
			if *f.SizeBytes != int64(size) || f.DisplayName != "jack.txt" || !strings.HasPrefix(f.MIMEType, "text/plain") ||
				f.Sha256Hash != base64.StdEncoding.EncodeToString([]byte(digest)) || f.CreateTime.IsZero() || f.UpdateTime.IsZero() ||
				f.URI != server.URL+"/v1beta/"+f.Name || f.Source != genai.FileSourceUploaded {
				t.Errorf("%+v", f)
			}
			data, err := c.Files.Download(t.Context(), genai.NewDownloadURIFromFile(f), nil)
			if err != nil || !bytes.Equal(data, []byte(content)) {
				t.Errorf("downloaded %d bytes, %v", len(data), err)
			}
			if _, err := c.Files.Delete(t.Context(), f.Name, nil); err != nil {
				t.Error(err)
			}
			_, err = c.Files.Get(t.Context(), f.Name, nil)
			wantError(t, err, 404, "NOT_FOUND")
		})
	}
}

func TestFilesByPathAndName(t *testing.T) {
	c := client(t)
	path := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(path, []byte(fact), 0o600); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("named-%d", time.Now().UnixNano())
	f, err := c.Files.UploadFromPath(t.Context(), path, &genai.UploadFileConfig{Name: name, MIMEType: "text/plain"})
	if err != nil || f.Name != "files/"+name {
		t.Fatalf("%+v, %v", f, err)
	}
	second := upload(t, c, question, "text/plain", "b.txt")
	seen := make(map[string]bool)
	for f, err := range c.Files.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen[f.Name] = true
	}
	if !seen[f.Name] || !seen[second.Name] {
		t.Errorf("listed %v", seen)
	}
	page, err := c.Files.List(t.Context(), &genai.ListFilesConfig{PageSize: 1})
	if err != nil || len(page.Items) != 1 || page.NextPageToken == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	if next, err := page.Next(t.Context()); err != nil || next.Items[0].Name == page.Items[0].Name {
		t.Errorf("%+v, %v", next, err)
	}
	for _, n := range []string{f.Name, second.Name} {
		if _, err := c.Files.Delete(t.Context(), n, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestEvidence(t *testing.T) {
	c := client(t)
	f := upload(t, c, fact+"\n", "text/plain", "vault.txt")
	r, err := c.Models.GenerateContent(t.Context(), model(t, c), []*genai.Content{genai.NewContentFromParts([]*genai.Part{
		genai.NewPartFromFile(*f), genai.NewPartFromText(question)}, genai.RoleUser)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	said(t, r.Text(), question, answer)
	got := r.Candidates[0]
	if got.GroundingMetadata == nil || len(got.GroundingMetadata.GroundingChunks) == 0 || got.CitationMetadata == nil || len(got.CitationMetadata.Citations) == 0 {
		t.Fatalf("no evidence: %+v", got)
	}
	found := got.GroundingMetadata.GroundingChunks[0].RetrievedContext
	if found.Title != "vault.txt" || found.URI != f.URI || !strings.Contains(found.Text, answer) {
		t.Errorf("%+v", found)
	}
	if m := found.CustomMetadata; len(m) == 0 || m[0].Key != "line" || *m[0].NumericValue != 1 {
		t.Errorf("no line: %+v", m)
	}
	cite := got.CitationMetadata.Citations[0]
	if cite.URI != f.URI || cite.EndIndex <= cite.StartIndex || int(cite.EndIndex) > len(r.Text()) {
		t.Errorf("%+v", cite)
	}
	support := got.GroundingMetadata.GroundingSupports[0]
	if support.Segment.Text != r.Text()[support.Segment.StartIndex:support.Segment.EndIndex] || len(support.GroundingChunkIndices) == 0 || len(support.ConfidenceScores) != len(support.GroundingChunkIndices) {
		t.Errorf("%+v", support)
	}
}

func TestMedia(t *testing.T) {
	needFake(t)
	c := client(t)
	f := upload(t, c, "frames", "video/mp4", "film.mp4")
	if f.VideoMetadata["videoDuration"] != "10s" {
		t.Errorf("%+v", f.VideoMetadata)
	}
	film := genai.NewPartFromFile(*f)
	film.VideoMetadata = &genai.VideoMetadata{FPS: ptr(0.5), StartOffset: 2 * time.Second, EndOffset: 6 * time.Second}
	r, err := c.Models.GenerateContent(t.Context(), model(t, c), []*genai.Content{genai.NewContentFromParts([]*genai.Part{
		film, genai.NewPartFromBytes([]byte{1, 2, 3, 0xfb}, "image/png"), genai.NewPartFromBytes([]byte{4}, "audio/wav"), genai.NewPartFromText("what is it")}, genai.RoleUser)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[genai.MediaModality]int32)
	for _, d := range r.UsageMetadata.PromptTokensDetails {
		counts[d.Modality] = d.TokenCount
	}
	if counts[genai.MediaModalityVideo] != 600 || counts[genai.MediaModalityImage] != 258 || counts[genai.MediaModalityAudio] != 250 || counts[genai.MediaModalityText] != 3 {
		t.Errorf("%v", counts)
	}
	broken, err := c.Files.Upload(t.Context(), strings.NewReader("x"), &genai.UploadFileConfig{MIMEType: "application/pdf", DisplayName: "broken.pdf"})
	if err != nil || broken.State != genai.FileStateFailed || broken.Error == nil || broken.Error.Message == "" {
		t.Errorf("%+v, %v", broken, err)
	}
}

func TestCaches(t *testing.T) {
	c := client(t)
	name := model(t, c)
	f := upload(t, c, strings.Repeat("Nothing happened that day.\n", 50)+fact+"\n", "text/plain", "diary.txt")
	made, err := c.Caches.Create(t.Context(), name, &genai.CreateCachedContentConfig{
		DisplayName: "a diary", TTL: 10 * time.Minute,
		Contents: []*genai.Content{genai.NewContentFromParts([]*genai.Part{genai.NewPartFromFile(*f)}, genai.RoleUser)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if made.Model != name || made.DisplayName != "a diary" || made.UsageMetadata.TotalTokenCount < 200 || made.CreateTime.IsZero() || made.UpdateTime.IsZero() {
		t.Errorf("%+v, %+v", made, made.UsageMetadata)
	}
	if d := time.Until(made.ExpireTime); d < 9*time.Minute || d > 11*time.Minute {
		t.Errorf("it expires in %v", d)
	}
	r, err := c.Models.GenerateContent(t.Context(), name, genai.Text(question), &genai.GenerateContentConfig{CachedContent: made.Name})
	if err != nil {
		t.Fatal(err)
	}
	said(t, r.Text(), question, answer)
	u := r.UsageMetadata
	if u.CachedContentTokenCount < made.UsageMetadata.TotalTokenCount*9/10 || u.CachedContentTokenCount > u.PromptTokenCount || len(u.CacheTokensDetails) == 0 {
		t.Errorf("%d of %d tokens from the cache of %d: %+v", u.CachedContentTokenCount, u.PromptTokenCount, made.UsageMetadata.TotalTokenCount, u.CacheTokensDetails)
	}

	got, err := c.Caches.Get(t.Context(), made.Name, nil)
	if err != nil || got.Name != made.Name {
		t.Errorf("%+v, %v", got, err)
	}
	more, err := c.Caches.Update(t.Context(), made.Name, &genai.UpdateCachedContentConfig{TTL: time.Hour})
	if err != nil || time.Until(more.ExpireTime) < 59*time.Minute {
		t.Errorf("%+v, %v", more, err)
	}
	at := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	more, err = c.Caches.Update(t.Context(), made.Name, &genai.UpdateCachedContentConfig{ExpireTime: at})
	if err != nil || !more.ExpireTime.Equal(at) {
		t.Errorf("%+v, %v", more, err)
	}
	found := false
	for x, err := range c.Caches.All(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		found = found || x.Name == made.Name
	}
	if !found {
		t.Error("it is not listed")
	}
	_, err = c.Models.GenerateContent(t.Context(), name, genai.Text(question), &genai.GenerateContentConfig{
		CachedContent: made.Name, SystemInstruction: genai.NewContentFromText("x", genai.RoleUser)})
	wantError(t, err, 400, "INVALID_ARGUMENT", "systemInstruction")
	if _, err := c.Caches.Delete(t.Context(), made.Name, nil); err != nil {
		t.Error(err)
	}
	_, err = c.Caches.Get(t.Context(), made.Name, nil)
	wantError(t, err, 404, "NOT_FOUND")
	_, err = c.Caches.Create(t.Context(), "no-such-model", &genai.CreateCachedContentConfig{Contents: genai.Text("x")})
	wantError(t, err, 404, "NOT_FOUND", strings.TrimPrefix(name, "models/"))
	if _, err := c.Files.Delete(t.Context(), f.Name, nil); err != nil {
		t.Error(err)
	}
}
