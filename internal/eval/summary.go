package eval

// A Rate is a proportion with its 95 % Wilson interval.
type Rate struct {
	OK     int     `json:"ok"`
	Trials int     `json:"trials"`
	Rate   float64 `json:"rate"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

// add counts one trial.
func (r *Rate) add(ok bool) {
	r.Trials++
	if ok {
		r.OK++
	}
	r.Rate = float64(r.OK) / float64(r.Trials)
	r.Low, r.High = Wilson(r.OK, r.Trials)
}

// A Cell is one square of the heat map.
type Cell struct {
	Length int     `json:"length"`
	Depth  float64 `json:"depth"` // the row's
	Rate
}

// A Length is the recall at one context length over all depths.
type Length struct {
	Length  int     `json:"length"`
	Seconds float64 `json:"seconds_per_answer"`
	Rate
}

// A Summary is summary.json.
type Summary struct {
	Manifest
	Recall   Rate     `json:"recall"`   // the answer contains the expected string
	Strict   Rate     `json:"strict"`   // the answer is the expected string
	Grounded Rate     `json:"grounded"` // the evidence holds it
	Lengths  []Length `json:"by_length"`
	Cells    []Cell   `json:"cells"` // by length, then by depth
	// Absence is there when some questions had no answer in the context.
	Absence *Absence `json:"absence,omitempty"`
	Reading Reading  `json:"reading"`
}

// Absence says how well a model knows what it has not read.
type Absence struct {
	// Reported: absent answers that were reported absent.
	Reported Rate `json:"absent_reported_absent"`
	// Denied: answers that stand in the context and were called absent.
	Denied Rate `json:"present_called_absent"`
}

// Reading is the cost of reading the haystack, once for the whole run.
type Reading struct {
	Tokens  int     `json:"tokens"`
	Seconds float64 `json:"seconds"`
}

// Summarize counts results. Rows and lengths without trials stay in as empty
// cells.
func Summarize(m Manifest, results []Result, reading Reading) *Summary {
	s := &Summary{Manifest: m, Reading: reading}
	column := make(map[int]int, len(m.Lengths))
	for i, n := range m.Lengths {
		column[n] = i
		s.Lengths = append(s.Lengths, Length{Length: n})
		for _, d := range m.Depths {
			s.Cells = append(s.Cells, Cell{Length: n, Depth: d})
		}
	}
	var absence Absence
	for _, r := range results {
		i, known := column[r.Length]
		if !known || r.Row < 0 || r.Row >= len(m.Depths) {
			continue
		}
		s.Recall.add(r.OK)
		s.Strict.add(r.Strict)
		s.Grounded.add(r.Grounded)
		s.Lengths[i].add(r.OK)
		s.Lengths[i].Seconds += r.Seconds
		s.Cells[i*len(m.Depths)+r.Row].add(r.OK)
		if r.Absent {
			absence.Reported.add(!r.Found)
		} else {
			absence.Denied.add(!r.Found)
		}
	}
	for i := range s.Lengths {
		if n := s.Lengths[i].Trials; n > 0 {
			s.Lengths[i].Seconds /= float64(n)
		}
	}
	if absence.Reported.Trials > 0 {
		s.Absence = &absence
	}
	return s
}
