"""One `agentkube run` for the whole session, in front of a scripted provider and
of the reference tool server."""

import os
import pathlib
import uuid

import pytest

import manifests
from rig import Agentkube, Process, Upstream, free_port, listening

NODE_MODULES = pathlib.Path(os.environ["SDK_NODE_MODULES"])
EVERYTHING = NODE_MODULES / "@modelcontextprotocol/server-everything/dist/index.js"


def node():
    """The node that came with the packages: the Inspector wants 22 or newer."""
    found = sorted(NODE_MODULES.glob("node-*/bin/node"))
    return found[0] if found else pathlib.Path("node")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rig")


@pytest.fixture(scope="session")
def upstream(folder):
    upstream = Upstream(folder)
    yield upstream
    upstream.process.kill()


@pytest.fixture(scope="session")
def everything(folder):
    """URL of npm's server-everything, a legacy server with sessions."""
    port = free_port()
    process = Process(
        [node(), EVERYTHING, "streamableHttp"],
        folder / "everything.log",
        env={"PORT": str(port)},
    )
    listening(port, process)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()


@pytest.fixture(scope="session")
def agentkube(folder, upstream, everything):
    path = manifests.write(
        folder / "objects.yaml",
        manifests.secret("openai-key", api_key=manifests.OPENAI_KEY),
        manifests.secret("anthropic-key", api_key=manifests.ANTHROPIC_KEY),
        manifests.secret("tools-token", token=manifests.TOOLS_TOKEN),
        manifests.models(upstream.url),
        manifests.keyless(upstream.url),
        manifests.tools("allowed", everything, mode="allow", allow=["echo", "get-*"]),
        manifests.tools("denied", everything, mode="deny", deny=["get-env"]),
    )
    agentkube = Agentkube(folder, path)
    yield agentkube
    assert agentkube.process.stop() == 0


@pytest.fixture
def model():
    """A model name that no other test uses: model("cut-openai")."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:8]}"
