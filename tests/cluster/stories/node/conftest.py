"""agentkube installed from deploy/ on a real node, and all that the stories call."""

import os
import pathlib
import string
import sys

import openai
import pytest
from support import (DEADLINE, ROOT, apply, kubectl, kubectl_process, load_image, until,
                     until_condition)

sys.path.insert(0, str(ROOT / "tests/sdk"))

import rig
from pods import environment, is_ready, pods

HERE = pathlib.Path(__file__).parent
LOGS = pathlib.Path(os.environ["STORY_LOGS"])
# The node's own address: Pods reach what listens there.
HOST = os.environ["AGENTKUBE_CLUSTER_HOST_IP"]
CREDENTIALS = {"openai_key": "sk-platform-openai", "anthropic_key": "sk-ant-platform"}


def pytest_collection_modifyitems(items):
    """Uninstalling comes last."""
    items.sort(key=lambda item: item.path.stem == "test_uninstall")


def pytest_runtest_logreport(report):
    """What the operators said before a story failed stays beside the other logs."""
    if report.failed:
        said = kubectl_process("logs", "-n", "agentkube-system", "--prefix", "--tail=-1",
                               "-l", "app.kubernetes.io/component=operator")
        (LOGS / "operator.log").write_text(said.stdout)


@pytest.fixture(scope="session", autouse=True)
def installed():
    """The manifests exactly as they stand, and the CRDs after them: any order does."""
    kubectl("apply", "-f", str(ROOT / "deploy/manifests"))
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds/yaml"))
    kubectl("rollout", "status", "deployment/agentkube-operator", "-n", "agentkube-system",
            f"--timeout={DEADLINE:.0f}s")
    until("admission answers", admission_answers)


def admission_answers():
    """Whether a mistake is found that neither schema nor CEL can see."""
    mistakes = ROOT / "tests/fixtures/manifests/five-mistakes.yaml"
    done = kubectl_process("apply", "--dry-run=server", "-f", str(mistakes))
    return "spec.routing.modelMap[0].to" in done.stderr


@pytest.fixture(scope="session")
def upstream():
    """The scripted provider."""
    upstream = rig.Upstream(LOGS, f"{HOST}:0")
    yield upstream
    upstream.process.kill()


@pytest.fixture(scope="session")
def everything():
    """The reference tool server."""
    everything = rig.Everything(LOGS, HOST)
    yield everything
    everything.process.kill()


@pytest.fixture(scope="session")
def served(upstream, everything):
    """The objects of served.yaml, ready."""
    text = string.Template((HERE / "served.yaml").read_text())
    apply(text.substitute(CREDENTIALS, upstream=upstream.url, tools=everything.url))
    until_condition("llmgw", "rig", "models", "Ready", "True")
    until_condition("mcp", "rig", "tools", "Ready", "True")


@pytest.fixture(scope="session")
def agent_image():
    """The image of the test kit's agent, on the node."""
    load_image("agentkube-testkit-agent")


@pytest.fixture(scope="session")
def callers(served, agent_image):
    """The objects of callers.yaml."""
    apply((HERE / "callers.yaml").read_text())


@pytest.fixture(scope="session")
def wiring(callers):
    """The environment of the Agent's running Pod: URLs and minted keys."""

    def running():
        found = [pod for pod in pods("ag", "crew", "reviewer") if is_ready(pod)]
        return found[0] if found else None

    return environment(until("the Agent runs", running))


@pytest.fixture(scope="session")
def connect(wiring):
    """Makes a client as the Agent would, on a connection of its own."""
    return lambda: openai.OpenAI(
        base_url=wiring["OPENAI_BASE_URL"], api_key=wiring["OPENAI_API_KEY"],
        max_retries=0, timeout=DEADLINE,  # what fails is not tried again
    )


@pytest.fixture
def client(connect):
    """One such client."""
    with connect() as client:
        yield client
