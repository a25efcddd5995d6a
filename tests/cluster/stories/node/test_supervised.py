"""Agents that run once in real Pods: one does well, one does not."""

import json

import pytest
from pods import pods
from support import apply, condition, get, kubectl, kubectl_process, until

PROGRAM = "/usr/local/bin/agentkube-testkit-agent"
# Models of their own, so that the provider tells how often each program ran.
MODELS = {"does-well": "plain-openai-errand", "does-not": "plain-openai-mistake"}

AGENT = """
apiVersion: agentkube.io/v1alpha1
kind: Agent
metadata: {{name: {name}, namespace: errands}}
spec:
  runtime: Custom
  image: agentkube-testkit-agent:dev
  paused: false
  goal: {{inline: "Say hello, for $5"}}
  command: [{program}]
  args: {args}
  model: {{name: {model}}}
  llmGatewayRef: {{name: models, namespace: rig}}
"""


@pytest.fixture(scope="module")
def errands(served, agent_image):
    """Both Agents."""
    kubectl("create", "namespace", "errands")
    # The gateway does not serve what the second one asks for.
    for name, args in (("does-well", []), ("does-not", ["--messages", "claude-no-such"])):
        apply(AGENT.format(name=name, program=PROGRAM, args=json.dumps(args), model=MODELS[name]))
    yield
    kubectl_process("delete", "namespace", "errands", "--wait=false")


def ended(name):
    """The Agent's status, once it ended."""

    def probe():
        status = get("ag", name, "-n", "errands").get("status", {})
        return status if status.get("phase") in ("Succeeded", "Failed") else None

    return until(f"{name} ended", probe)


@pytest.mark.parametrize(
    ("name", "phase", "code"), [("does-well", "Succeeded", 0), ("does-not", "Failed", 1)])
def test_it_runs_once_and_says_how_it_ended(errands, upstream, name, phase, code):
    status = ended(name)
    assert (status["phase"], status["result"]["exitCode"]) == (phase, code)
    assert condition("ag", "errands", name, "Ready")[1:] == (
        phase, f"its program ended with exit code {code}")
    until("the StatefulSet is at 0",
          lambda: get("sts", name, "-n", "errands")["spec"]["replicas"] == 0)
    until("its Pod is gone", lambda: not pods("ag", "errands", name))
    assert len(upstream.requests(MODELS[name])) == 1
    assert get("ag", name, "-n", "errands")["status"]["phase"] == phase


def test_kubectl_get_shows_it(errands, capsys):
    for name in MODELS:
        ended(name)
    printed = kubectl("get", "ag,sts", "-n", "errands", "-o", "wide")
    with capsys.disabled():
        print("\n" + printed)
    assert "Succeeded" in printed and "Failed" in printed


def test_a_changed_goal_runs_again(errands, upstream):
    ended("does-well")
    kubectl("patch", "ag", "does-well", "-n", "errands", "--type=merge",
            "-p", '{"spec":{"goal":{"inline":"Say hello again"}}}')

    def again():
        status = get("ag", "does-well", "-n", "errands")["status"]
        return status.get("result", {}).get("generation") == 2

    until("the second run ended", again)
    assert len(upstream.requests(MODELS["does-well"])) == 2
