"""The other side of the proxy: what it is as a client of its upstreams, judged by the
suite's own servers. A check that fails must stand in expected.txt, with the reason."""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from compare import SUITE, expected, node

# How the proxy itself is called; `auto` finds the modern era.
ERAS = ["legacy", "auto"]
SCENARIOS = [
    "http-custom-headers", "http-invalid-tool-headers", "http-standard-headers",
    "json-schema-2020-12-preservation", "json-schema-ref-no-deref", "request-metadata",
    "sep-2322-client-request-state", "tools_call",
]


def judged(folder, era, scenario):
    """The status of every check of a scenario, and what was printed."""
    out = folder / era / scenario
    command = f"{sys.executable} {pathlib.Path('as_client.py').resolve()}"
    done = subprocess.run(
        [str(node()), SUITE, "client", "--command", command, "--scenario", scenario, "-o", out],
        env={**os.environ, "CONFORMANCE_ERA": era}, capture_output=True, text=True, timeout=300,
    )
    checks = {}
    for path in out.rglob("checks.json"):
        for check in json.loads(path.read_text()):
            name = f"{check['id']}/{check['name']}"
            checks[scenario, name] = check["status"]
    return checks, done.stdout + done.stderr


def report(era, scenario, checks, printed, known):
    """Prints a scenario; true when nothing fails but what may."""
    cell = f"client-{era}"
    failed = {(cell, *key) for key, status in checks.items() if status == "FAILURE"}
    stale = {entry for entry in known if entry[:2] == (cell, scenario)} - failed
    fine = "SUCCESS" in checks.values() and not failed - known and not stale
    good = sum(status == "SUCCESS" for status in checks.values())
    print(f"{cell + '/' + scenario:48} {good:>2} checks", "ok" if fine else "FAILED", flush=True)
    for _, _, check in sorted(failed - known):
        print(f"    failed: {check}")
    for _, _, check in sorted(stale):
        print(f"    does not fail any more, remove it from expected.txt: {check}")
    if not fine:
        print(printed[-3000:])
    return fine


def main():
    known = expected()
    cells = [(era, scenario) for era in ERAS for scenario in SCENARIOS]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda cell: judged(pathlib.Path(folder), *cell), cells))
    fine = [report(*cell, *outcome, known) for cell, outcome in zip(cells, done)]
    print(f"{fine.count(True)} passed, {fine.count(False)} failed")
    return 0 if all(fine) else 1


if __name__ == "__main__":
    sys.exit(main())
