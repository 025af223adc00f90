"""The program under test."""

import json
import os
from pathlib import Path

from .lab import HOSTS, LAB, ROOT, address, run
from .meter import Seen


def services(servers=3, brokers=5, requests=400):
    return (f"services:\n  zookeeper: {{ servers: {servers} }}\n"
            f"  kafka: {{ brokers: {brokers}, config: {{ queued.max.requests: {requests} }} }}\n")


def build():
    built = run("cargo", "build", "--release", "--message-format=json", "-q", cwd=ROOT)
    lines = (json.loads(l) for l in built.stdout.decode().splitlines() if l.startswith("{"))
    return [l["executable"] for l in lines if l.get("executable") and l["target"]["name"] == "sdtd"][-1]


def events_of(text):
    """The events of a run, by what it printed."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def phases(text):
    """How long each part of a run took, by its own events, in milliseconds."""
    events = events_of(text)
    marks = [("connect", 0)] + [(e["name"], e["at_ms"]) for e in events if e["event"] == "phase"]
    marks.append(("end", events[-1]["at_ms"]))
    return {a: later - at for (a, at), (_, later) in zip(marks, marks[1:])}


class Sdtd:
    """In a home of its own; packages are made once and kept, unless they are of no use to others."""

    def __init__(self, binary, home, group, keeps=True):
        self.binary, self.home, self.group = binary, home, group
        if keeps:
            cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sdtd"
            cache.mkdir(parents=True, exist_ok=True)
            (home / "cache").symlink_to(cache)
        self.inventory = self.write("inventory.yaml")

    def write(self, name, hosts=HOSTS, services=services(), config=None, ssh=""):
        lines = "\n".join(f"  {h}: {{ address: {address(h)}, memory: 1G }}" for h in hosts)
        path = self.home / name
        path.write_text(f"cluster: bench\nssh: {{ config: {config or LAB / 'ssh_config'}{ssh} }}\nhosts:\n{lines}\n{services}")
        return path

    def __call__(self, *words, keep=False):
        env = {**os.environ, "SDTD_HOME": str(self.home)}
        return Seen(self.group, [self.binary, *words], env=env, keep=keep)

    def deploy(self, inventory=None, keep=False):
        return self("deploy", inventory or self.inventory, "--yes", "--json", keep=keep)

    def no_op(self, inventory=None, keep=False):
        seen = self.deploy(inventory, keep)
        assert "no change" in seen.text, seen.text
        return seen

    def plan(self):
        """The plan of a first deploy, for those who do the same by other means."""
        saved = self.home / "plan.json"
        self("plan", self.inventory, "--out", saved)
        return json.loads(saved.read_text())
