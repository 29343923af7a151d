package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klippa-app/go-pdfium"
	pdfiumerrors "github.com/klippa-app/go-pdfium/errors"
	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

const (
	memoryPages  = 1 << 14 // of 64 KiB: what a document may take
	maxInstances = 4       // that live at once; others wait
	maxFile      = 1 << 31 // that an instance can address
)

// library is PDFium, compiled when it is first needed.
var library = sync.OnceValues(func() (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(memoryPages).
		WithCloseOnContextDone(true)
	if cache := openCache(); cache != nil {
		config = config.WithCompilationCache(cache)
	}
	return webassembly.Init(webassembly.Config{
		MaxTotal:      maxInstances,
		FSConfig:      wazero.NewFSConfig(), // no directory
		RuntimeConfig: config,
		Stdout:        io.Discard,
		Stderr:        io.Discard,
	})
})

// openCache returns the store of machine code, or nil where there can be none:
// then it is made anew, which is slower and nothing else.
func openCache() wazero.CompilationCache {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	cache, err := wazero.NewCompilationCacheWithDir(filepath.Join(dir, "handscroll", "wasm"))
	if err != nil {
		return nil
	}
	return cache
}

// document is an open document in an instance of its own.
type document struct {
	pdfium.Pdfium
	id    references.FPDF_DOCUMENT
	stall time.Duration
	over  atomic.Bool // the instance was killed
}

// open loads a document. Of a file no more is read than PDFium asks for.
func open(ctx context.Context, r io.ReadSeeker, size int64, stall time.Duration) (*document, error) {
	if size >= maxFile {
		return nil, fmt.Errorf("a PDF of %d bytes; %d can be read", size, int64(maxFile))
	}
	pool, err := library()
	if err != nil {
		return nil, fmt.Errorf("starting PDFium: %w", err)
	}
	instance, err := pool.GetInstanceWithContext(ctx)
	if err != nil {
		return nil, err
	}
	d := &document{Pdfium: instance, stall: stall}
	err = d.within(ctx, func() error {
		doc, err := d.OpenDocument(&requests.OpenDocument{FileReader: r, FileReaderSize: size})
		if err == nil {
			d.id = doc.Document
		}
		return err
	})
	switch {
	case err == nil:
		return d, nil
	case errors.Is(err, pdfiumerrors.ErrPassword), errors.Is(err, pdfiumerrors.ErrSecurity):
		err = errors.New("an encrypted PDF: save it without a password and try again")
	case errors.Is(err, pdfiumerrors.ErrFormat), errors.Is(err, pdfiumerrors.ErrFile):
		err = errors.New("a damaged PDF")
	}
	return nil, errors.Join(err, d.close())
}

// within runs a call of PDFium. When it takes longer than may be, or when ctx is
// done, the instance is killed.
func (d *document) within(ctx context.Context, call func() error) error {
	kill := func() {
		if !d.over.Swap(true) {
			d.Kill() // fails if it is closed already, which is as good
		}
	}
	timer := time.AfterFunc(d.stall, kill)
	defer timer.Stop()
	defer context.AfterFunc(ctx, kill)()
	err := call()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case d.over.Load():
		return fmt.Errorf("took longer than %v", d.stall)
	}
	return err
}

func (d *document) close() error {
	if d.over.Swap(true) {
		return nil
	}
	return d.Close()
}

// page names a page, from 1.
func (d *document) page(n int) requests.Page {
	return requests.Page{ByIndex: &requests.PageByIndex{Document: d.id, Index: n - 1}}
}
