"""Per check: what a server answers directly, and what it answers through the proxy.

A check that holds directly must hold through the proxy, unless expected.txt says
why not. An entry of expected.txt that did not fail is an error too.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

from rig import Children, program
from round_robin import RoundRobin

NODE_MODULES = pathlib.Path(os.environ["CONFORMANCE_NODE_MODULES"])
SUITE = NODE_MODULES / "@modelcontextprotocol/conformance/dist/index.js"
CLIENTS = ["2026-07-28", "2025-11-25"]
# What stands upstream: the server's version and whether it keeps sessions.
SERVERS = {
    "modern": ("v1.8.0", True),
    "dual": ("v1.8.0", False),
    "legacy": ("v1.6.1", False),
    # Directly over HTTP; the proxy starts it, and on stdio each client has its own era.
    "stdio": ("v1.8.0", False),
    "stdio-legacy": ("v1.6.1", False),
    # Over the older transport on both sides: the proxy's own /sse stands in front of it.
    "sse": ("v1.6.1", False),
}
WORSE = ["SUCCESS", "INFO", "SKIPPED", "WARNING", "FAILURE"]


def node():
    """The suite needs a newer Node than many machines have."""
    found = sorted(NODE_MODULES.glob("node-*/bin/node"))
    return found[0] if found else "node"


def suite(url, client, out):
    """The worst status of every check, by scenario and check."""
    command = [node(), SUITE, "server", "--url", url, "--requirements", client, "-o", out]
    with pathlib.Path(f"{out}.log").open("w") as log:
        subprocess.run([str(part) for part in command], stdout=log, stderr=log, timeout=900)
    checks = {}
    for path in pathlib.Path(out).glob("*/checks.json"):
        # server-<scenario>-<time>, and the time has five dashes.
        scenario = path.parent.name.removeprefix("server-").rsplit("-", 6)[0]
        for check in json.loads(path.read_text()):
            key = scenario, check["id"]
            checks[key] = max(checks.get(key, "SUCCESS"), check["status"], key=WORSE.index)
    assert checks, f"the suite did not run; see {out}.log"
    return checks


def passed(checks):
    """Scenarios without a failed check, and all scenarios."""
    scenarios = {scenario for scenario, _ in checks}
    failed = {scenario for (scenario, _), status in checks.items() if status == "FAILURE"}
    return len(scenarios - failed), len(scenarios)


def expected():
    """{(cell, scenario, check)} that may fail through the proxy."""
    entries = set()
    for line in pathlib.Path("expected.txt").read_text().splitlines():
        line = line.split("#")[0].split()
        if line:
            entries.add(tuple(line))
    return entries


def run(children, cell):
    """One cell: (cell, direct, proxied)."""
    name, client = cell.split("/")
    server = name.removesuffix("-x2")
    version, stateless = SERVERS[server]
    if server == "stdio":
        stateless = client == "2026-07-28"
    tag = cell.replace("/", "-")
    url = children.server(f"server-{tag}", version, stateless)
    direct = suite(url, client, children.folder / f"direct-{tag}")
    upstream = {"kind": "http", "endpoint": url}
    if server.startswith("stdio"):
        upstream = {"kind": "stdio", "stdio": {"command": [str(program(version))]}}
    if server == "sse":
        front = children.proxy(f"front-{tag}.0", upstream).removesuffix("/mcp") + "/sse"
        upstream = {"kind": "http", "endpoint": front, "transport": "sse"}
    if name.endswith("-x2"):
        through = RoundRobin(children.pods(f"proxy-{tag}", upstream, 2)).url
    else:
        through = children.proxy(f"proxy-{tag}", upstream)
    return cell, direct, suite(through, client, children.folder / f"proxied-{tag}")


# Where the server does not speak the client's era, there is little to compare with: so
# many scenarios the bridge passes.
BRIDGED = {"dual": 31, "legacy": 28, "stdio-legacy": 28, "sse": 28, "legacy-x2": 28}


def least(cell):
    """How many scenarios must pass through the proxy."""
    server, client = cell.split("/")
    return BRIDGED.get(server, 0) if client == "2026-07-28" else 0


def report(cell, direct, proxied, known):
    """Prints a cell; true when nothing is worse than it may be."""
    worse = {
        (cell, *key)
        for key, status in direct.items()
        # A check that only tells something may be another one where there are sessions.
        if (status == "SUCCESS" and proxied.get(key, "FAILURE") == "FAILURE")
        or (status == "INFO" and proxied.get(key) == "FAILURE")
    }
    line = "{:22} direct {:>2}/{:<2} proxied {:>2}/{:<2}".format(cell, *passed(direct), *passed(proxied))
    lost = sorted(worse - known)
    if "SUCCESS" not in direct.values():
        # Nothing to compare with: the server did not start, or the suite asked nothing.
        lost.append((cell, "all", "nothing passes directly"))
    if passed(proxied)[0] < least(cell):
        lost.append((cell, "some", f"{least(cell)} scenarios passed before"))
    stale = sorted(entry for entry in known - worse if entry[0] == cell)
    print(line, "ok" if not lost and not stale else "FAILED", flush=True)
    for _, scenario, check in lost:
        print(f"    lost: {scenario} {check}")
    for _, scenario, check in stale:
        print(f"    does not fail any more, remove it from expected.txt: {scenario} {check}")
    return not lost and not stale


def main(chosen):
    cells = [f"{server}/{client}" for server in SERVERS for client in CLIENTS]
    cells += [f"{server}-x2/{client}" for server in ("modern", "legacy", "stdio") for client in CLIENTS]
    chosen = [cell for cell in cells if not chosen or any(cell.startswith(want) for want in chosen)]
    known = expected()
    with Children() as children, concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = pool.map(lambda cell: run(children, cell), chosen)
        fine = [report(*outcome, known) for outcome in done]
        print(f"{fine.count(True)} passed, {fine.count(False)} failed")
        if not all(fine):
            print(f"logs: {children.folder}")
    return 0 if all(fine) and fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
