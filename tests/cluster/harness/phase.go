package main

import (
	"fmt"
	"os"
	"time"
)

// phase runs one step and says how long it took. Progress goes to stderr;
// stdout is for what a caller may want to capture.
func phase(name string, step func() error) error {
	began := time.Now()
	if err := step(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	say("%-44s %6.1f s", name, time.Since(began).Seconds())
	return nil
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "cluster: "+format+"\n", args...)
}
