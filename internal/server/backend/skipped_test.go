package backend

import (
	"testing"

	"github.com/handscroll/handscroll"
)

func TestSkippedNames(t *testing.T) {
	var s Skipped
	list := make([]handscroll.Skipped, 2*MaxSkipped)
	s.Add(list[:4]...)
	was := s
	s.Add(list...)
	if was.Count != 4 || s.Count != 4+len(list) || len(s.Files) != MaxSkipped || len(was.Files) != 4 {
		t.Errorf("%+v, before %+v", s, was)
	}
}
