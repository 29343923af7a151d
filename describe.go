package handscroll

import (
	"github.com/handscroll/handscroll/internal/engine"
	"github.com/handscroll/handscroll/internal/kvcache"
)

// Description is what a file says about its model, and the memory that it would take
// to run; the others are parts of it.
type (
	Description     = engine.Description
	TypeShare       = engine.TypeShare
	AttentionLayers = engine.AttentionLayers
	MemoryPlan      = engine.MemoryPlan
)

// Describe says what is in a model file of any architecture and what memory it takes
// with a context of so many tokens, 0 for the smaller of 8192 and what the model was
// trained on. Keys and values are kept as cache says: see [WeightsOptions]. Matrices
// are mapped and not read.
func Describe(path string, context int, cache string) (*Description, error) {
	f, err := cacheFormat(cache)
	if err != nil {
		return nil, err
	}
	return engine.Describe(path, context, f)
}

// cacheFormat returns the format of a name; "" is f16.
func cacheFormat(name string) (kvcache.Format, error) {
	if name == "" {
		return kvcache.F16, nil
	}
	return kvcache.ParseFormat(name)
}
