"""One `agentkube run` for the whole session, in front of a scripted provider and
of the reference tool server."""

import uuid

import pytest

import manifests
from rig import Agentkube, Everything, Upstream


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
    """URL of npm's server-everything."""
    everything = Everything(folder)
    yield everything.url
    everything.process.kill()


@pytest.fixture(scope="session")
def agentkube(folder, upstream, everything):
    path = manifests.write(
        folder / "objects.yaml",
        manifests.secret("openai-key", api_key=manifests.OPENAI_KEY),
        manifests.secret("anthropic-key", api_key=manifests.ANTHROPIC_KEY),
        manifests.secret("bedrock-key", api_key=manifests.BEDROCK_KEY),
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
