package main

// The addresses inside a cluster. At level node they exist in its own network
// namespace only, so every cluster can use the same.
const (
	nodeName     = "node-1"
	nodeIP       = "10.200.0.1"
	podCIDR      = "10.244.0.0/16" // of all nodes
	nodePodCIDR  = "10.244.0.0/24" // of ours
	serviceCIDR  = "10.96.0.0/16"
	kubernetesIP = "10.96.0.1"
	dnsIP        = "10.96.0.10"
)
