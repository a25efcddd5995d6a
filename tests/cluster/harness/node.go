package main

// A node: containerd, the kubelet, kube-proxy and the cluster's DNS, all in
// the namespaces of nodeinit_linux.go.

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// nodePaths are written by the kubelet and the network plugins at places that
// no option moves. Inside, each is a folder of the state folder.
var nodePaths = []string{"/var/lib/cni", "/var/lib/kubelet", "/var/log/containers", "/var/log/pods"}

// checkNodeFolder refuses a folder that the node's own mounts would hide.
func (c *cluster) checkNodeFolder() error {
	for _, hidden := range append([]string{"/run", "/proc"}, nodePaths...) {
		for _, path := range []string{c.Dir, c.Binary, selfPath()} {
			if resolved, err := filepath.EvalSymlinks(path); err == nil {
				path = resolved
			}
			if strings.HasPrefix(path+"/", hidden+"/") {
				return fmt.Errorf("%s is below %s, which a node has its own of: choose another --state or XDG_CACHE_HOME", path, hidden)
			}
		}
	}
	return nil
}

// prepareNode makes what the node's parts find when they start.
func (b *bringup) prepareNode(ctx context.Context) error {
	if err := b.checkNodeFolder(); err != nil {
		return err
	}
	if err := b.writeNodeConfig(); err != nil {
		return err
	}
	if err := b.startNamespaces(ctx); err != nil {
		return err
	}
	if err := makeCgroups(b.id()); err != nil {
		return err
	}
	return b.startContainerd(ctx)
}

func (b *bringup) startContainerd(ctx context.Context) error {
	return phase("containerd", func() error {
		if err := b.start("containerd", "containerd", "--config", b.path("config", "containerd.toml")); err != nil {
			return err
		}
		argv := b.inside([]string{"ctr", "version"})
		if err := b.await(ctx, "containerd", "containerd answers", func(ctx context.Context) error {
			return quietly(exec.CommandContext(ctx, argv[0], argv[1:]...))
		}); err != nil {
			return err
		}
		return b.loadPauseImage(ctx)
	})
}

func (b *bringup) startNode(ctx context.Context) error {
	if err := phase("kubelet: node ready", func() error {
		if err := b.start("kubelet", b.program("kubelet"),
			"--config="+b.path("config", "kubelet.yaml"),
			"--kubeconfig="+b.kubeconfig("kubelet"),
			"--hostname-override="+nodeName,
			"--node-ip="+nodeIP,
		); err != nil {
			return err
		}
		if err := b.start("kube-proxy", b.program("kube-proxy"), "--config="+b.path("config", "kube-proxy.yaml")); err != nil {
			return err
		}
		return b.await(ctx, "kubelet", "the node is ready", b.nodeReady)
	}); err != nil {
		return err
	}
	return phase("kube-proxy, CoreDNS", func() error {
		if err := quietly(b.kubectl(ctx, "apply", "--filename="+b.path("config", "cluster-dns.yaml"))); err != nil {
			return err
		}
		if err := b.start("coredns", b.program("coredns"), "-conf", b.path("config", "Corefile")); err != nil {
			return err
		}
		return errors.Join(
			b.awaitURL(ctx, "kube-proxy", "http://127.0.0.1:10256/healthz"),
			b.awaitURL(ctx, "coredns", "http://127.0.0.1:10054/ready"),
		)
	})
}

func (b *bringup) nodeReady(ctx context.Context) error {
	const condition = `jsonpath={.status.conditions[?(@.type=="Ready")]}`
	output, err := b.kubectl(ctx, "get", "node", nodeName, "--output="+condition).CombinedOutput()
	if err == nil && !strings.Contains(string(output), `"status":"True"`) {
		err = errors.New("not ready")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

// writeNodeConfig renders the configurations of the node's parts.
func (c *cluster) writeNodeConfig() error {
	view := map[string]string{
		"CgroupRoot":   "/" + c.id(),
		"ContainerDir": c.path("containerd"),
		"ConfigDir":    c.path("config"),
		"DNSIP":        dnsIP,
		"ID":           c.id(),
		"NodeIP":       nodeIP,
		"NodeName":     nodeName,
		"NodePodCIDR":  nodePodCIDR,
		"PauseImage":   pauseImage,
		"PKI":          c.path("pki"),
		"PluginDir":    networkPluginDir(),
		"PodCIDR":      podCIDR,
	}
	for _, name := range []string{
		"10-pods.conflist", "Corefile", "cluster-dns.yaml", "containerd.toml", "hosts", "kube-proxy.yaml", "kubelet.yaml", "resolv.conf",
	} {
		if err := render(name, c.path("config", name), view); err != nil {
			return err
		}
	}
	return nil
}
