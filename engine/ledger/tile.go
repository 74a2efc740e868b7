package ledger

import (
	"fmt"
)

// TilePath is where a mirror serves a tile, by C2SP tlog-tiles: tile/<level>/<N>
// with N in groups of three digits, and .p/<width> when it is not full.
func TilePath(level int, index int64, width int) string {
	name := fmt.Sprintf("%03d", index%1000)
	for index >= 1000 {
		index /= 1000
		name = fmt.Sprintf("x%03d/%s", index%1000, name)
	}
	if width < TileWidth {
		name = fmt.Sprintf("%s.p/%d", name, width)
	}
	return fmt.Sprintf("tile/%d/%s", level, name)
}

// EachTile calls f for every tile that a mirror of a log of that size serves, up
// to the first error.
func EachTile(size int64, f func(level int, index int64, width int) error) error {
	for level := 0; size > 0; level, size = level+1, size/TileWidth {
		for index := int64(0); index*TileWidth < size; index++ {
			if err := f(level, index, int(min(TileWidth, size-index*TileWidth))); err != nil {
				return err
			}
		}
	}
	return nil
}
