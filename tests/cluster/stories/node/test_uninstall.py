"""Uninstalling: the last of the stories, see conftest.py."""

import pytest
from support import ROOT, apply, get, kubectl, kubectl_process, until

POD = """
apiVersion: v1
kind: Pod
metadata: {name: afterwards, namespace: crew, labels: {agentkube.io/wire: "true"}}
spec: {containers: [{name: any, image: agentkube-testkit-agent:dev}]}
"""


def test_the_operator_had_every_right_that_it_needed(wiring):
    for pod in get("pod", "-n", "agentkube-system")["items"]:
        said = kubectl("logs", "-n", "agentkube-system", pod["metadata"]["name"])
        refused = [line for line in said.splitlines() if "forbidden" in line]
        assert refused == []
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


@pytest.fixture(scope="module")
def uninstalled(wiring):
    """deploy/manifests, deleted."""
    kubectl("delete", "-f", str(ROOT / "deploy/manifests"), "--timeout=60s")


def test_the_webhook_configurations_go_too(uninstalled):
    kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations"
    until("they are gone", lambda: get(kinds)["items"] == [])


def test_nobody_is_locked_out(uninstalled):
    _, printed = apply(POD)
    assert "pod/afterwards created" in printed


def test_what_ran_goes_on(uninstalled, client):
    messages = [{"role": "user", "content": "Hello?"}]
    assert client.chat.completions.create(model="gpt-5.1", messages=messages).choices


def test_an_object_can_be_deleted_with_all_that_was_made_for_it(uninstalled):
    kubectl("delete", "llmgw", "models", "-n", "rig", "--timeout=30s")
    children = ("deploy,svc,cm,sa,secret,pdb,netpol", "-n", "rig", "-l", "agentkube.io/llmgateway=models")
    until("nothing is left", lambda: get(*children)["items"] == [])
    assert kubectl_process("get", "mcp", "tools", "-n", "rig").returncode == 0
