package store

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// micros is the form of times in the database.
func micros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }

// maxBody bounds what a stored body may inflate to.
const maxBody = 1 << 30

// A writer is 600 kB; several goroutines write, one after another.
var deflaters = sync.Pool{New: func() any {
	w, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant that flate has
	}
	return w
}}

// deflate compresses a body.
func deflate(body []byte) ([]byte, error) {
	w, ok := deflaters.Get().(*flate.Writer)
	if !ok {
		return nil, errors.New("compress: no writer")
	}
	defer deflaters.Put(w)
	var b bytes.Buffer
	w.Reset(&b)
	if _, err := w.Write(body); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return b.Bytes(), nil
}

// inflate undoes deflate. What follows the compressed bytes is an error: a row
// has one form.
func inflate(stored []byte) ([]byte, error) {
	source := bytes.NewReader(stored)
	r := flate.NewReader(source)
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("stored bytes cannot be unpacked: %w", err)
	case len(body) > maxBody:
		return nil, fmt.Errorf("stored bytes unpack to more than %d bytes", maxBody)
	case source.Len() > 0:
		return nil, errors.New("stored bytes go on after their end")
	}
	return body, nil
}
