"""The two manifests of the README, from kubectl apply to Pods that serve."""

import pytest
from pods import digest, is_ready, pods, programmed, uids
from support import ROOT, apply, get, kubectl, until, until_condition

GATEWAY = ("llmgw", "platform", "shared-gateway")
TOOLS = ("mcp", "team-a", "github-tools")
# A kubelet that nobody nudges looks at mounted files once a minute or so.
NUDGED = 20


@pytest.fixture(scope="module")
def seed():
    """Both manifests, exactly as they stand; what kubectl printed."""
    for name in ("team-a", "platform"):
        kubectl("create", "namespace", name)
    return apply((ROOT / "tests/fixtures/manifests/seed.yaml").read_text())


def test_admission_warns_and_kubectl_applies(seed, capsys):
    warnings, printed = seed
    with capsys.disabled():
        print("\n" + warnings + printed)
    assert printed.count(" created") == 3
    assert "anthropic-key" in warnings and "not enforced yet" in warnings


@pytest.mark.parametrize(("target", "replicas"), [(GATEWAY, 1), (TOOLS, 2)])
def test_programmed_is_said_when_every_replica_serves_the_plan(seed, target, replicas):
    until("it is programmed", lambda: programmed(*target))
    until("its Pods are ready",
          lambda: [is_ready(pod) for pod in pods(*target)] == [True] * replicas)


def test_the_mcp_is_ready(seed):
    until_condition(*TOOLS, "Ready", "True")


def test_a_secret_that_arrives_is_served_without_touching_the_gateway(seed):
    _, message = until_condition(*GATEWAY, "ResolvedRefs", "False")
    assert "anthropic-key" in message
    until_condition(*GATEWAY, "Ready", "False")
    before = uids(*GATEWAY)
    kubectl("create", "secret", "generic", "anthropic-key", "-n", "platform",
            "--from-literal=api-key=sk-ant-placeholder")
    [pod] = pods(*GATEWAY)
    until("the credentials are read", lambda: digest(pod)["upstreams"][0]["credentials"], NUDGED)
    until_condition(*GATEWAY, "ResolvedRefs", "True")
    until_condition(*GATEWAY, "Ready", "True")
    assert get("llmgw", "shared-gateway", "-n", "platform")["metadata"]["generation"] == 1
    assert uids(*GATEWAY) == before, "no Pod was replaced or restarted"
