package main

// etcd, the API server, the controllers and the scheduler: all of level
// control, and the first half of level node.

import (
	"context"
	"fmt"
	"os/exec"
)

func (b *bringup) startControlPlane(ctx context.Context) error {
	if err := phase("etcd", func() error {
		if err := b.start("etcd", b.etcd()...); err != nil {
			return err
		}
		return b.awaitURL(ctx, "etcd", fmt.Sprintf("http://127.0.0.1:%d/health", b.Ports.Etcd))
	}); err != nil {
		return err
	}
	if err := phase("kube-apiserver", func() error {
		if err := b.start("kube-apiserver", b.apiServer()...); err != nil {
			return err
		}
		return b.awaitURL(ctx, "kube-apiserver", fmt.Sprintf("https://127.0.0.1:%d/readyz", b.Ports.API))
	}); err != nil {
		return err
	}
	return phase("controllers, scheduler, ServiceAccount", func() error {
		if err := b.start("kube-controller-manager", b.controllerManager()...); err != nil {
			return err
		}
		if err := b.start("kube-scheduler", b.scheduler()...); err != nil {
			return err
		}
		// The controllers make it; without it the API server admits no Pod.
		return b.await(ctx, "kube-controller-manager", "the ServiceAccount default exists", func(ctx context.Context) error {
			return quietly(b.kubectl(ctx, "get", "serviceaccount", "default", "--namespace=default"))
		})
	})
}

func (b *bringup) etcd() []string {
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", b.Ports.Etcd), fmt.Sprintf("http://127.0.0.1:%d", b.Ports.EtcdPeer)
	return []string{
		b.program("etcd"),
		"--data-dir=" + b.path("etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=default=" + peer,
		"--log-level=warn",
		"--unsafe-no-fsync", // a test cluster survives nothing anyway
	}
}

func (b *bringup) apiServer() []string {
	pki := func(file string) string { return b.path("pki", file) }
	argv := []string{
		b.program("kube-apiserver"),
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", b.Ports.Etcd),
		fmt.Sprintf("--secure-port=%d", b.Ports.API),
		"--tls-cert-file=" + pki("apiserver.crt"),
		"--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + pki("service-account.pub"),
		"--service-account-signing-key-file=" + pki("service-account.key"),
		"--kubelet-certificate-authority=" + pki("ca.crt"),
		"--kubelet-client-certificate=" + pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",

		// API aggregation. With endpoint routing the API server finds the
		// Pods behind a Service itself and needs no kube-proxy beside it.
		"--enable-aggregator-routing",
		"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + pki("front-proxy-client.key"),
	}
	if b.Level == levelNode {
		return append(argv, "--bind-address=0.0.0.0", "--advertise-address="+nodeIP)
	}
	// An advertised address may not be a loopback address. No Pod runs that
	// could dial this one, which RFC 5737 keeps for documentation.
	return append(argv, "--bind-address=127.0.0.1", "--advertise-address=198.51.100.1")
}

func (b *bringup) controllerManager() []string {
	return []string{
		b.program("kube-controller-manager"),
		"--kubeconfig=" + b.kubeconfig("kube-controller-manager"),
		"--use-service-account-credentials",
		"--service-account-private-key-file=" + b.path("pki", "service-account.key"),
		"--root-ca-file=" + b.path("pki", "ca.crt"),
		"--allocate-node-cidrs",
		"--cluster-cidr=" + podCIDR,
		"--service-cluster-ip-range=" + serviceCIDR,
		"--leader-elect=false",
		"--secure-port=0", // nobody scrapes it
		// Tests make and delete many namespaces; the default of 20 requests
		// a second is for clusters that must spare their API server.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
	}
}

func (b *bringup) scheduler() []string {
	return []string{
		b.program("kube-scheduler"),
		"--kubeconfig=" + b.kubeconfig("kube-scheduler"),
		"--leader-elect=false",
		"--secure-port=0",
	}
}

// kubectl runs the real kubectl as the cluster's admin.
func (c *cluster) kubectl(ctx context.Context, args ...string) *exec.Cmd {
	argv := c.onNetwork(append([]string{c.Binary, "kubectl"}, args...))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = c.environ()
	return cmd
}
