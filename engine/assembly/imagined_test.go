package assembly

import "testing"

// Nobody has read what has not happened: of an imagined deployment it is enough that
// the sources were read up to a day before, and of a real one it is not.
func TestImagined(t *testing.T) {
	const tomorrow = "2026-11-21T08:00:00Z"
	live := prod("dep-tomorrow", merge, "new_commit", tomorrow, tomorrow, "")
	for imagined, status := range map[bool]string{true: "complete", false: "incomplete"} {
		dossiers, _ := Assemble(append(append(change(), everything()...), live), directory(t), Options{At: at(tomorrow), Imagined: imagined})
		for _, d := range dossiers {
			if d.Subject.ID == "acme/shop#412" {
				same(t, "render", d.Sources["render"].Status, status)
			}
		}
	}
}
