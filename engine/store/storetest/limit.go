package storetest

import (
	"os/signal"
	"strconv"
	"syscall"
)

// limitFiles makes every write of this process beyond a size fail, as a quota does.
func limitFiles(bytes string) error {
	limit, err := strconv.ParseUint(bytes, 10, 64)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit})
}
