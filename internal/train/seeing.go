package train

import (
	"errors"

	"github.com/handscroll/handscroll/internal/encoder"
	"github.com/handscroll/handscroll/internal/model"
)

// ScenesRecipe is how the eyes for scenes are trained.
type ScenesRecipe struct {
	Model encoder.ScenesConfig `yaml:"model"`
	Clips []string             `yaml:"clips"`
}

func newSeeing(r *SenseRecipe, base *model.Native, log func(string)) (sense, error) {
	return nil, errors.New("train: scenes")
}
