package main

import (
	"os"
	"os/signal"
	"syscall"
)

// pause is the container that holds a Pod's namespaces open, as in every
// Kubernetes: it sleeps until it is told to stop. As the first process of its
// namespace it adopts orphans; the kernel reaps them for a parent that
// ignores SIGCHLD (wait(2), NOTES).
func pause() error {
	signal.Ignore(syscall.SIGCHLD)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	return nil
}
