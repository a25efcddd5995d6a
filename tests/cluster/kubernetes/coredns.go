package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	// The plugins a test cluster's resolver needs, and no other: upstream's
	// full list pulls in the SDK of every cloud.
	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/template"
)

// runCoreDNS serves until it is told to stop.
func runCoreDNS() int {
	// The order of this list is the order in which a query passes the plugins.
	// Unlike upstream's, ours ends with template: it answers what nobody knows.
	dnsserver.Directives = []string{
		"bind", "health", "ready", "errors", "cache", "hosts", "kubernetes", "template",
	}
	coremain.Run()
	return 0
}
