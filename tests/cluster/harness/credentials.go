package main

import (
	"encoding/base64"
	"fmt"
	"os"
)

// clients are the users of the API server that get a kubeconfig. The names
// and groups are those that Kubernetes' own role bindings expect.
var clients = map[string]identity{
	"admin":                   {user: "kubernetes-admin", groups: []string{"system:masters"}},
	"coredns":                 {user: "system:coredns"}, // bound in files/cluster-dns.yaml
	"kube-controller-manager": {user: "system:kube-controller-manager"},
	"kube-proxy":              {user: "system:kube-proxy"},
	"kube-scheduler":          {user: "system:kube-scheduler"},
	"kubelet":                 {user: "system:node:" + nodeName, groups: []string{"system:nodes"}},
}

// writeCredentials fills pki/ and the kubeconfigs.
func (c *cluster) writeCredentials() error {
	ca, err := newAuthority(c.path("pki", "ca"), "kubernetes-ca")
	if err != nil {
		return err
	}
	// Its own authority: whoever it vouches for may speak for any user.
	frontProxy, err := newAuthority(c.path("pki", "front-proxy-ca"), "front-proxy-ca")
	if err != nil {
		return err
	}
	if err := frontProxy.issue(c.path("pki", "front-proxy-client"), identity{user: "front-proxy-client"}); err != nil {
		return err
	}
	if err := writeServiceAccountKeys(c.path("pki", "service-account")); err != nil {
		return err
	}
	for name, who := range map[string]identity{
		"apiserver": {user: "kube-apiserver", hosts: []string{
			"127.0.0.1", nodeIP, kubernetesIP, "localhost",
			"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local",
		}},
		"apiserver-kubelet-client": {user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
		"kubelet-server":           {user: nodeName, hosts: []string{nodeName, nodeIP, "127.0.0.1"}},
	} {
		if err := ca.issue(c.path("pki", name), who); err != nil {
			return err
		}
	}
	for name, who := range clients {
		if err := ca.issue(c.path("pki", name), who); err != nil {
			return err
		}
		if err := c.writeKubeconfig(name); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) writeKubeconfig(user string) error {
	view := struct{ Server, CA, Certificate, Key, User string }{User: user, Server: fmt.Sprintf("https://127.0.0.1:%d", c.Ports.API)}
	for file, field := range map[string]*string{
		"ca.crt": &view.CA, user + ".crt": &view.Certificate, user + ".key": &view.Key,
	} {
		raw, err := os.ReadFile(c.path("pki", file))
		if err != nil {
			return err
		}
		*field = base64.StdEncoding.EncodeToString(raw)
	}
	return render("kubeconfig.yaml", c.kubeconfig(user), view)
}
