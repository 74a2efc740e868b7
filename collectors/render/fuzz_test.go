package render

import (
	"bytes"
	"testing"
	"time"

	"github.com/changevouch/changevouch/collectors"
	"github.com/changevouch/changevouch/engine"
	"github.com/changevouch/changevouch/schemas"
)

// FuzzMap: no bytes break the mapping, it is deterministic, and what comes out
// is what the schema of events allows.
func FuzzMap(f *testing.F) {
	for name, b := range recorded(f) {
		f.Add(name, b)
	}
	f.Add("v1/services/srv-1/deploys.json", []byte(`[{"deploy":{"id":"dep-1","status":"live","updatedAt":"9999-12-31T23:59:59-23:00"},"cursor":""}]`))
	f.Add("v1/owners/tea-1/audit-logs.json", []byte("timestamp,actor,event,status,metadata\n\"2026"))
	received := time.Date(2026, 9, 10, 6, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, path string, b []byte) {
		p := collectors.Payload{Path: path, Bytes: b, ObservedAt: received}
		m, again := Map(p), Map(p)
		if !bytes.Equal(engine.Facts(m.Events), engine.Facts(again.Events)) {
			t.Fatal("two mappings of the same bytes differ")
		}
		if len(m.Events)+len(m.Ignored)+len(m.Faults) == 0 && !isAuditCSV(b) && len(bytes.TrimSpace(b)) > 2 {
			t.Fatal("the payload vanished")
		}
		for _, e := range m.Events {
			for _, fault := range schemas.Validate(schemas.Event, engine.Facts(e)) {
				t.Errorf("%s %s is no valid event: %v\n%s", e.Type, e.ID, fault, engine.Facts(e))
			}
		}
	})
}
