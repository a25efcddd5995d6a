"""MCPs that offer the tools of other MCPs."""

import json

import pytest
from support import KubectlError, apply, condition, get, kubectl, namespace, until, until_condition

pytestmark = pytest.mark.usefixtures("operator")


def mcp(ns, name, upstreams, extra=""):
    return f"""
apiVersion: agentkube.io/v1alpha1
kind: MCP
metadata: {{name: {name}, namespace: {ns}}}
spec:
  {extra or "port: 8080"}
  upstreams: {json.dumps(upstreams)}
"""


def server(name):
    return {"name": name, "kind": "http", "endpoint": f"http://{name}.example.com/mcp"}


def reference(upstream, **target):
    return {"name": upstream, "kind": "mcpRef", "mcpRef": target}


def plan(ns, name):
    found = kubectl("get", "cm", f"{name}-mcp", "-n", ns, "-o", "jsonpath={.data.plan\\.json}",
                    "--ignore-not-found")
    return json.loads(found) if found else {"upstreams": []}


def rows(ns, name):
    return [row["name"] for row in plan(ns, name)["upstreams"]]


def test_one_of_the_same_namespace_is_flattened_and_followed():
    with namespace("flat") as ns:
        apply(mcp(ns, "outer", [server("own"), reference("inner", name="inner")]))
        reason, message = until_condition("mcp", ns, "outer", "ResolvedRefs", "False")
        assert reason == "MCPNotFound" and f"{ns}/inner" in message
        apply(mcp(ns, "inner", [server("x")]))
        until_condition("mcp", ns, "outer", "ResolvedRefs", "True")
        until("flattened", lambda: rows(ns, "outer") == ["own", "inner/x"])
        apply(mcp(ns, "inner", [server("x"), server("y")]))
        until("followed", lambda: rows(ns, "outer") == ["own", "inner/x", "inner/y"])
        with pytest.raises(KubectlError) as denied:
            apply(mcp(ns, "inner", [reference("back", name="outer")]))
        assert f"{ns}/inner → {ns}/outer → {ns}/inner" in str(denied.value)


def test_one_of_another_namespace_is_called_with_a_key_of_our_own():
    with namespace("near") as near, namespace("far") as far:
        apply(mcp(far, "tools", [server("x")]))
        with pytest.raises(KubectlError) as denied:
            apply(mcp(near, "outer", [reference("far", name="tools", namespace=far)]))
        assert "spec.allowedNamespaces" in str(denied.value)
        apply(mcp(far, "tools", [server("x")], "allowedNamespaces: {from: All}"))
        apply(mcp(near, "outer", [reference("far", name="tools", namespace=far)]))

        def key():
            found = get("secrets", "-n", near)["items"]
            client = "agentkube.io/client"
            ours = [it for it in found
                    if it["metadata"].get("annotations", {}).get(client) == f"{near}/outer"]
            return ours[0] if ours else None

        secret = until("the key of the MCP as a client", key)
        owner = secret["metadata"]["ownerReferences"][0]
        assert (owner["kind"], owner["name"]) == ("MCP", "outer")
        until_condition("mcp", near, "outer", "ResolvedRefs", "True")
        [hop] = plan(near, "outer")["upstreams"]
        assert hop["kind"]["endpoint"] == f"http://tools-mcp.{far}.svc:8080/mcp"
        assert hop["auth"]["secret"]["name"] == secret["metadata"]["name"]

        apply(mcp(far, "tools", [server("x")], "allowedNamespaces: {from: Same}"))
        until("the grant ends", lambda: condition("mcp", near, "outer", "ResolvedRefs")[1]
              == "NotAdmitted")
        until("and the key with it", lambda: key() is None)
