package main

import (
	"os"
	"os/signal"
	"syscall"
)

// pause is the container that holds a Pod's namespaces open, as in every
// Kubernetes: it sleeps until it is told to stop.
func pause() error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	return nil
}
