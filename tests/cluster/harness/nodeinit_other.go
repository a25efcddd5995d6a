//go:build !linux

package main

import (
	"context"
	"errors"
)

var errNotLinux = errors.New("level node needs Linux")

func (b *bringup) startNamespaces(context.Context) error { return errNotLinux }

func nodeInit([]string) error { return errNotLinux }
