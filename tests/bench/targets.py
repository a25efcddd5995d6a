"""The servers of the benchmarks: how they are started, pinned and watched."""
import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

PROXY_CORE, LOAD_CORE = "0", "1"
CLIENT_KEY = "bench-client-key-0123456789"
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def keep_awake(stack):
    """Gives each core something to do that anything else goes before, until the stack
    ends. A core that sleeps takes tens of microseconds to wake, many more in a
    virtual machine, and with one client every hop would wake one."""
    for core in PROXY_CORE, LOAD_CORE:
        spin = ["taskset", "-c", core, "chrt", "--idle", "0", sys.executable, "-c", "while True: pass"]
        process = subprocess.Popen(spin)
        stack.callback(process.wait)
        stack.callback(process.kill)


def nginx():
    """The nginx of the machine, or Debian's package unpacked into the cache:
    installing it would also start it."""
    if found := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
        return found
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    cache = pathlib.Path(home) / "agentkube/nginx"
    binary = cache / "usr/sbin/nginx"
    if not binary.exists():
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-qq", "nginx"], cwd=cache, check=True)
        (package,) = cache.glob("nginx_*.deb")
        subprocess.run(["dpkg", "--extract", package, cache], check=True)
    return str(binary)


def certificate(folder):
    """One for 127.0.0.1 that is its own authority."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=bench", "-keyout", folder / "key.pem",
         "-out", folder / "cert.pem", "-addext", "basicConstraints=critical,CA:FALSE",
         "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, stderr=subprocess.DEVNULL,
    )


def fill(template, folder, **values):
    """The path of a configuration with its @NAMES@ filled in."""
    text = template.read_text()
    for name, value in {"DIR": folder, **values}.items():
        text = text.replace(f"@{name}@", str(value))
    path = folder / template.name
    path.write_text(text)
    return path


class Target:
    """A server to send the load to, pinned to its core."""

    def __init__(self, name, core, address, command, log, environment=None):
        self.name, self.address = name, address
        host, port = address.rsplit(":", 1)
        with open(log, "w") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", core, *map(str, command)], stdout=output, stderr=output,
                env={**os.environ, **(environment or {})},
            )
        end = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex((host, int(port))) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"{name} does not listen:\n{pathlib.Path(log).read_text()[-2000:]}")
            time.sleep(0.05)

    def url(self, path):
        return f"http://{self.address}{path}"

    def processes(self):
        """Its process and the children of that."""
        main = self.process.pid
        children = pathlib.Path(f"/proc/{main}/task/{main}/children").read_text().split()
        return [main, *map(int, children)]

    def cpu_seconds(self):
        """User and system time so far, children included (proc(5), stat 14, 15)."""
        ticks = 0
        for pid in self.processes():
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            fields = stat.rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / TICKS

    def rss_mib(self):
        """Resident memory (proc(5), statm 2)."""
        pages = sum(
            int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
            for pid in self.processes()
        )
        return pages * PAGE / 2**20

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def upstream(name, provider, url, models):
    return {
        "name": name,
        "provider": provider,
        "baseUrl": url,
        "credentials": {"from": "apiKey", "secret": {"name": "provider", "key": "api-key"}},
        "models": models,
        "priority": 1,
        "weight": 1,
        "timeouts": {"connect": 5000, "firstToken": 60000, "idle": 60000},
    }


def write_plan(folder, mock, tls, tls2):
    """The files that a gateway's pod has mounted."""
    plan = {
        "object": {"namespace": "bench", "name": "gateway"},
        "upstreams": [
            upstream("mock", "openai", f"http://{mock}/v1", ["bench", "other-*"]),
            upstream("claude", "anthropic", f"http://{mock}", ["bench-claude"]),
            upstream("tls", "openai", f"https://{tls}/v1", ["bench-tls"]),
            upstream("tls2", "openai", f"https://{tls2}/v1", ["bench-tls2"]),
        ],
        "routing": {
            "unknownModel": "reject",
            "retries": {"attempts": 2, "retryOn": ["connectFailure", "serverError"]},
            "breaker": {"failures": 5, "window": 30000, "cooldown": 30000},
        },
        "auth": "apikey",
    }
    key_hash = hashlib.sha256(CLIENT_KEY.encode()).hexdigest()
    clients = {"clients": [{"name": "bench", "keys": [key_hash]}]}
    files = {
        "plan/plan.json": json.dumps(plan),
        "clients/clients.json": json.dumps(clients),
        "secrets/provider/api-key": "sk-bench",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
