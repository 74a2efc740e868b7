package store

// retentionBody is the body of a retention entry.
type retentionBody struct {
	Before  string     `json:"before"` // entries recorded before this moment were looked at
	Removed [][2]int64 `json:"removed"`
}

// covers reports whether an entry is among those that were removed.
func (r *retentionBody) covers(index int64) bool {
	for _, span := range r.Removed {
		if span[0] <= index && index <= span[1] {
			return true
		}
	}
	return false
}
