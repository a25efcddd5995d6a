"""agentkube installed from deploy/ on a real node, and all that the stories call."""

import os
import pathlib
import string
import subprocess
import sys

import openai
import pytest
from support import CLUSTER, DEADLINE, ROOT, apply, get, kubectl, kubectl_process, until

sys.path.insert(0, str(ROOT / "tests/sdk"))

from planes import environment, until_condition_now
from rig import Process, Upstream, node_program

HERE = pathlib.Path(__file__).parent
LOGS = pathlib.Path(os.environ["STORY_LOGS"])
# The node's own address: Pods reach what listens there.
HOST = os.environ["AGENTKUBE_CLUSTER_HOST_IP"]
OPENAI_KEY, ANTHROPIC_KEY = "sk-of-the-platform-openai", "sk-ant-of-the-platform"


@pytest.fixture(scope="session", autouse=True)
def installed():
    """CRDs and manifests, exactly as they stand; every replica is available."""
    kubectl("apply", "--server-side", "-f", str(ROOT / "crds/yaml"))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(ROOT / "crds/yaml"))
    kubectl("apply", "-f", str(ROOT / "deploy/manifests"))
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
    upstream = Upstream(LOGS, f"{HOST}:0")
    yield upstream
    upstream.process.kill()
