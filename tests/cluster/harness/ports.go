package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// ports are those of the control plane, all on the loopback interface of the
// network namespace that the cluster lives in.
type ports struct {
	API, Etcd, EtcdPeer int
}

// nodePorts need no search: at level node the namespace is the cluster's own.
var nodePorts = ports{API: 6443, Etcd: 2379, EtcdPeer: 2380}

// freePorts looks below the range from which the kernel serves outgoing
// connections, so that none of those takes a port between our look and the
// component's bind.
func freePorts() (ports, error) {
	const first, last, tries = 20000, 32000, 100
	var found []int
	for range tries {
		port := first + rand.IntN(last-first)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer listener.Close()
		if found = append(found, port); len(found) == 3 {
			return ports{API: found[0], Etcd: found[1], EtcdPeer: found[2]}, nil
		}
	}
	return ports{}, errors.New("no free ports on 127.0.0.1")
}
