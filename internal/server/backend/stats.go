package backend

// Stats is what a backend has done since it began, and what it is doing.
type Stats struct {
	Waiting, Running int   // requests
	Refused          int64 // with Busy: the queue was full, or the wait too long
	ReadTokens       int64 // of prompts, read
	CachedTokens     int64 // of prompts, not read again
	AnswerTokens     int64
	ReadSeconds      float64 // of reading, all requests together
	AnswerSeconds    float64
	PrefixHits       int64 // prompts that began with one that was read before
	PrefixMisses     int64
	Stored           int   // contexts on disk
	StoredBytes      int64 // of contexts and files, with what is set aside for those that come
	QuotaBytes       int64 // that they may take
	Evicted          int64 // contexts
	ContextBytes     int64 // of memory that contexts in use take
	MemoryBytes      int64 // that they may take
	Models           int   // loaded
}
