//go:build !windows

package collectors

import (
	"fmt"
	"os"
	"syscall"
)

// tryLock takes the lock of an open file; the system gives it back when the file
// is closed, and when the process ends in whatever way.
func tryLock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// syncDir makes a rename in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("folder %s: %w", dir, err)
	}
	return nil
}
