package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/handscroll/handscroll/internal/disk"
)

// spentEvery is how often what keys have spent is written: who kills the server forgives
// them no more than that.
const spentEvery = 2 * time.Second

const secondsPerDay = 24 * 60 * 60

// spent keeps the tokens that keys have spent today beside the keys, so that a server
// that is started again goes on from there. Its zero value keeps nothing.
type spent struct {
	path   string
	before spentDay // that an earlier process has left
	last   []byte   // that was written
}

// spentDay is the file.
type spentDay struct {
	Day    int64            `json:"day"`    // since 1970, in UTC
	Tokens map[string]int64 `json:"tokens"` // by owner
}

// read takes over what an earlier process has left, if there is something.
func (s *spent) read(k *Keys) error {
	if k == nil {
		return nil
	}
	s.path = filepath.Join(filepath.Dir(k.path), "spent.json")
	data, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s.before)
	}
	if err != nil {
		return fmt.Errorf("tokens that keys have spent: %w", err)
	}
	s.last = data
	return nil
}

// holder makes one that goes on from what its owner had spent.
func (s *spent) holder(owner string) *holder {
	return &holder{owner: owner, day: s.before.Day, spent: s.before.Tokens[owner]}
}

// write keeps what holders have spent today, if it is something new.
func (s *spent) write(now time.Time, holders map[string]*holder) error {
	if s.path == "" || len(holders) == 0 {
		return nil
	}
	today := spentDay{Day: now.Unix() / secondsPerDay, Tokens: map[string]int64{}}
	if s.before.Day == today.Day {
		for owner, n := range s.before.Tokens { // who has not come yet
			today.Tokens[owner] = n
		}
	}
	for owner, h := range holders {
		if n := h.today(now); n > 0 {
			today.Tokens[owner] = n
		}
	}
	data, err := json.Marshal(today)
	if err != nil || bytes.Equal(data, s.last) {
		return err
	}
	if err := disk.WriteFileMode(s.path, data, 0o600); err != nil {
		return fmt.Errorf("tokens that keys have spent: %w", err)
	}
	s.last = data
	return nil
}

// keepSpent writes now and then until done is closed, and once more then.
func (s *Server) keepSpent(done <-chan struct{}) {
	tick := time.NewTicker(spentEvery)
	defer tick.Stop()
	for open := true; open; {
		select {
		case <-tick.C:
		case <-done:
			open = false
		}
		s.mu.Lock()
		holders := make(map[string]*holder, len(s.holders))
		for _, h := range s.holders {
			holders[h.owner] = h
		}
		s.mu.Unlock()
		if err := s.spent.write(time.Now(), holders); err != nil {
			s.log.Error("keeping what keys have spent", "error", err)
		}
	}
}
