package nn

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTeam(t *testing.T) {
	for _, n := range []int{1, 2, 5} {
		team := NewTeam(n)
		for round := range 200 {
			var sum atomic.Int64
			parts := round % 17
			busy := make([]atomic.Bool, n)
			team.Run(parts, func(w, p int) {
				if busy[w].Swap(true) {
					t.Error("a worker has two parts")
				}
				sum.Add(int64(p + 1))
				busy[w].Store(false)
			})
			if want := int64(parts * (parts + 1) / 2); sum.Load() != want {
				t.Fatalf("%d workers, %d parts: sum %d, want %d", n, parts, sum.Load(), want)
			}
			if round == 100 {
				time.Sleep(5 * time.Millisecond) // so that workers fall asleep
			}
		}
		team.Close()
	}
}

func TestTeamSplit(t *testing.T) {
	team := NewTeam(3)
	defer team.Close()
	for n := range 200 {
		seen := make([]atomic.Int32, n)
		team.Split(n, 7, func(_, from, to int) {
			if from%7 != 0 {
				t.Errorf("a range of %d begins at %d", n, from)
			}
			for i := from; i < to; i++ {
				seen[i].Add(1)
			}
		})
		for i := range seen {
			if seen[i].Load() != 1 {
				t.Fatalf("item %d of %d came %d times", i, n, seen[i].Load())
			}
		}
	}
}

func TestTeamPanic(t *testing.T) {
	team := NewTeam(2)
	defer team.Close()
	func() {
		defer func() {
			if v := recover(); v == nil || !strings.Contains(v.(string), "part 7 is bad") {
				t.Errorf("recovered %v", v)
			}
		}()
		team.Run(20, func(_, p int) {
			if p == 7 {
				panic("part 7 is bad")
			}
		})
	}()
	var done atomic.Int32
	team.Run(10, func(int, int) { done.Add(1) })
	if done.Load() != 10 {
		t.Errorf("after a panic %d of 10 parts were done", done.Load())
	}
}

func TestNoTeam(t *testing.T) {
	var team *Team
	n := 0
	team.Split(10, 1, func(w, from, to int) { n += to - from + w })
	if n != 10 {
		t.Errorf("%d items, want 10", n)
	}
	team.Close()
}

func BenchmarkTeam(b *testing.B) {
	team := NewTeam(2)
	defer team.Close()
	for range b.N {
		team.Run(4, func(int, int) {})
	}
}
