package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/handscroll/handscroll"
	"github.com/handscroll/handscroll/internal/server/backend"
)

// nativeAnswer is how many tokens an answer of the native model has at most.
const nativeAnswer = 4096

// openModels opens all models, in their order.
func (b *Backend) openModels() error {
	seen := map[string]bool{}
	for _, spec := range b.opts.Models {
		switch {
		case !modelID.MatchString(spec.ID):
			return fmt.Errorf("local: %q is no ID for a model: lower case, digits, '-' and '.', at most 64", spec.ID)
		case seen[spec.ID]:
			return fmt.Errorf("local: two models have the ID %q", spec.ID)
		}
		seen[spec.ID] = true
		m, err := b.openModel(spec)
		if err != nil {
			return fmt.Errorf("local: model %s: %w", spec.ID, err)
		}
		b.models = append(b.models, m)
	}
	return nil
}

func (b *Backend) openModel(spec ModelSpec) (*model, error) {
	m := &model{Model: backend.Model{ID: spec.ID, Media: []backend.Modality{backend.Text, backend.Document}}}
	native := true
	if spec.Path != "" {
		fi, err := os.Stat(spec.Path)
		if err != nil {
			return nil, err
		}
		m.Created = fi.ModTime()
		if native, err = handscroll.IsNative(spec.Path); err != nil {
			return nil, err
		}
	}
	m.gate = &gate{queue: b.opts.Queue, most: max(0, b.opts.MaxWait)}
	m.gate.limit = [classes]int{quick: max(2, runtime.GOMAXPROCS(0)), middle: 4, long: 4}
	if !native {
		m.gate.limit = [classes]int{quick: 32, middle: 8, long: 8} // they share passes
	}
	if native {
		return m, m.openNative(spec.Path, b.opts.MaxMemory)
	}
	return m, m.openWeights(spec.Path, b.opts.Threads)
}

func (m *model) openNative(path string, memory int64) (err error) {
	if m.native, err = handscroll.Open(path); err != nil {
		return err
	}
	m.Native, m.fingerprint = true, m.native.Fingerprint()
	m.Name = m.native.Name()
	m.Description = "Reads up to millions of tokens and answers with what stands there, and where."
	m.Media = append(m.Media, backend.Image, backend.Video)
	if len(m.native.Words()) > 0 {
		m.Media = append(m.Media, backend.Audio)
	}
	// Nothing in the model bounds a context; memory does.
	if memory <= 0 {
		memory = handscroll.FreeMemory()
	}
	memory -= memory / scratchShare
	m.InputLimit = 10_000_000
	if memory > 0 {
		m.InputLimit = min(m.InputLimit, int(memory/int64(m.native.EntryBytes())))
	}
	m.OutputLimit = nativeAnswer
	if m.Created.IsZero() {
		m.Created = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // it is part of the program
	}
	return nil
}

func (m *model) openWeights(path string, threads int) (err error) {
	if m.weights, err = handscroll.OpenWeights(path); err != nil {
		return err
	}
	if threads > 0 {
		m.weights.SetThreads(threads)
	}
	if err := m.weights.Prepare(0, nil); err != nil {
		return errors.Join(err, m.weights.Close())
	}
	info := m.weights.Info()
	m.fingerprint = m.weights.Fingerprint()
	m.Name = m.weights.Name()
	m.Description = fmt.Sprintf("Open weights of the architecture %s, %s.", info.Architecture, info.Type)
	m.InputLimit, m.OutputLimit = info.Context, info.Context
	m.Embeds, m.EmbedDims = true, info.Width
	return nil
}

func (b *Backend) closeModels() error {
	var err error
	for _, m := range b.models {
		if m.weights != nil {
			err = errors.Join(err, m.weights.Close())
		}
	}
	return err
}

// shut waits for what runs until ctx ends, then stops it.
func (b *Backend) shut(ctx context.Context) error {
	ended := make(chan struct{})
	stopSweep := context.AfterFunc(ctx, b.stop)
	defer stopSweep()
	go func() {
		defer close(ended)
		b.requests.Wait()
		b.stop()
		b.running.Wait()
	}()
	<-ended // what is stopped ends within a chunk
	return errors.Join(b.entries.close(), b.sessions.close(), b.closeModels(), b.lock.Close())
}
