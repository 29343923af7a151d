package endpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// chunkSize is how much of a file goes into one request.
const chunkSize = 8 << 20

// How often a file that the server still looks at is asked for.
const (
	firstPoll   = time.Second
	longestPoll = 10 * time.Second
)

type geminiFile struct {
	Name     string `json:"name"`
	URI      string `json:"uri"`
	MIMEType string `json:"mimeType"`
	State    string `json:"state"`
	Error    struct {
		Message string `json:"message"`
	} `json:"error"`
}

// upload stores a part's data on the server, by the resumable protocol of Gemini's
// files, and waits until it can be used.
func (x *Context) upload(ctx context.Context, p *Part) (*geminiRef, error) {
	f, err := x.c.send(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("uploading %s: %w", p.Source, err)
	}
	x.uploads = append(x.uploads, f.Name)
	for wait := firstPoll; f.State == "PROCESSING"; wait = min(2*wait, longestPoll) {
		if err := x.c.sleep(ctx, wait); err != nil {
			return nil, err
		}
		if err := x.c.fetch(ctx, "GET", x.c.base+"/"+f.Name, nil, f); err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", p.Source, err)
		}
	}
	if f.State == "FAILED" {
		return nil, fmt.Errorf("endpoint %s: it could not read %s: %s", x.c.base, p.Source, clean(f.Error.Message))
	}
	return &geminiRef{p.MIME, f.URI}, nil
}

// send uploads a part's data.
func (c *Client) send(ctx context.Context, p *Part) (*geminiFile, error) {
	target, err := c.begin(ctx, p)
	if err != nil {
		return nil, err
	}
	r, err := p.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	chunk := make([]byte, min(chunkSize, p.Size))
	for at := int64(0); ; {
		n, err := io.ReadFull(r, chunk)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, err
		}
		last := at+int64(n) >= p.Size
		if n < len(chunk) && !last {
			return nil, errors.New("the file has become shorter")
		}
		f, err := c.append(ctx, target, chunk[:n], at, last)
		if err != nil {
			return nil, err
		}
		if last {
			return f, nil
		}
		at += int64(n)
	}
}

// begin announces an upload and returns where it goes to.
func (c *Client) begin(ctx context.Context, p *Part) (string, error) {
	u, err := url.Parse(c.base)
	if err != nil {
		return "", err
	}
	u.Path = "/upload" + u.Path + "/files"
	body, err := encode(map[string]any{"file": map[string]string{"displayName": filepath.Base(p.Source)}})
	if err != nil {
		return "", err
	}
	resp, err := c.do(ctx, call{method: "POST", url: u.String(), body: body, header: http.Header{
		"X-Goog-Upload-Protocol":              {"resumable"},
		"X-Goog-Upload-Command":               {"start"},
		"X-Goog-Upload-Header-Content-Length": {strconv.FormatInt(p.Size, 10)},
		"X-Goog-Upload-Header-Content-Type":   {p.MIME},
	}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	target, err := u.Parse(resp.Header.Get("X-Goog-Upload-Url"))
	switch {
	case err != nil || resp.Header.Get("X-Goog-Upload-Url") == "":
		return "", fmt.Errorf("endpoint %s: it did not say where to upload to", c.base)
	case !sameHost(u, target):
		return "", fmt.Errorf("endpoint %s: it wants the file uploaded to %s; nothing was sent there", c.base, origin(target))
	}
	return target.String(), nil
}

// append sends a chunk. After an interruption it asks how much has arrived, and sends
// the rest.
func (c *Client) append(ctx context.Context, target string, chunk []byte, at int64, last bool) (*geminiFile, error) {
	command := "upload"
	if last {
		command = "upload, finalize"
	}
	for try := 1; ; try++ {
		resp, err := c.do(ctx, call{method: "POST", url: target, body: chunk, once: true, header: http.Header{
			"X-Goog-Upload-Command": {command},
			"X-Goog-Upload-Offset":  {strconv.FormatInt(at, 10)},
			"Content-Type":          {"application/octet-stream"},
		}})
		if err == nil {
			return c.received(resp, last)
		}
		if ctx.Err() != nil || try > c.opts.Retries || !again(err) {
			return nil, err
		}
		if err := c.sleep(ctx, min(firstWait<<(try-1), longestWait)); err != nil {
			return nil, err
		}
		has, status, err := c.query(ctx, target)
		switch {
		case err != nil:
			return nil, err
		case status == "final" && !last || has < at || has > at+int64(len(chunk)):
			return nil, fmt.Errorf("endpoint %s: of an upload that broke off between %d and %d it has %d bytes", c.base, at, at+int64(len(chunk)), has)
		}
		chunk, at = chunk[has-at:], has
	}
}

// received reads the reply to a chunk.
func (c *Client) received(resp *http.Response, last bool) (*geminiFile, error) {
	want := "active"
	if last {
		want = "final"
	}
	var doc struct {
		File geminiFile `json:"file"`
	}
	if !last {
		resp.Body.Close()
	} else if err := c.decode(resp, &doc); err != nil {
		return nil, err
	}
	if got := resp.Header.Get("X-Goog-Upload-Status"); got != want {
		return nil, fmt.Errorf("endpoint %s: the upload is %q, not %s", c.base, got, want)
	}
	if last && (!strings.HasPrefix(doc.File.Name, "files/") || doc.File.URI == "") {
		return nil, fmt.Errorf("endpoint %s: it did not say what it calls the file", c.base)
	}
	return &doc.File, nil
}

// query asks how much of an upload has arrived.
func (c *Client) query(ctx context.Context, target string) (has int64, status string, err error) {
	resp, err := c.do(ctx, call{method: "POST", url: target, header: http.Header{"X-Goog-Upload-Command": {"query"}}})
	if err != nil {
		return 0, "", err
	}
	resp.Body.Close()
	has, err = strconv.ParseInt(resp.Header.Get("X-Goog-Upload-Size-Received"), 10, 64)
	if err != nil {
		return 0, "", fmt.Errorf("endpoint %s: it did not say how much of the upload has arrived", c.base)
	}
	return has, resp.Header.Get("X-Goog-Upload-Status"), nil
}
