"""Those that are used for the same, each with a deploy of its own in bench/peers, in an environment made from
bench/peers/requirements.txt."""

import json
import os
import sys
import venv

from .hand import packages
from .lab import HOSTS, KEEPERS, LAB, ROOT, address, run
from .meter import Seen

PEERS = ROOT / "bench/peers"
# A file of each package, by which it is known that it is unpacked.
CREATES = {"java": "bin/java", "zookeeper": "lib/zookeeper-{}.jar", "kafka": "libs/kafka_2.13-{}.jar"}


def environment():
    """Where the peers are installed, from the index that pip uses here."""
    at = ROOT / "target/bench/peers"
    wanted = (PEERS / "requirements.txt").read_text()
    mark = at / "installed"
    if not mark.exists() or mark.read_text() != wanted:
        print("bench: installing the peers", file=sys.stderr)
        venv.create(at, with_pip=True, clear=True)
        run(at / "bin/pip", "install", "--quiet", "-r", PEERS / "requirements.txt")
        mark.write_text(wanted)
    return at


class Peer:
    """Runs one of them. `requests` is the setting that is changed; `restarts` says that something ran before."""

    def __init__(self, at, home, plan, group):
        self.at, self.home, self.group, self.hosts = at, home, group, HOSTS
        self.packages = {name: self.package(name, *what) for name, what in packages(plan).items()}

    def package(self, name, path, step):
        version = step["version"]
        return {"file": str(path), "store": f"/opt/store/{name}-{version}", "strip": step["strip"], "gzip": step["gzip"],
                "creates": CREATES[name].format(version)}

    @property
    def keepers(self):
        return [host for host in KEEPERS if host in self.hosts]

    def values(self, host, requests, restarts):
        servers = [{"number": h[2:], "address": address(h)} for h in self.keepers]
        ensemble = ",".join(f"{s['address']}:2181" for s in servers)
        return {"number": int(host[2:]), "address": address(host), "rack": host, "servers": servers, "ensemble": ensemble,
                "requests": requests, "restarts": restarts, "packages": self.packages}


class Ansible(Peer):
    def __init__(self, *words, mitogen=False, config=None):
        super().__init__(*words)
        self.mitogen, self.config = mitogen, config or LAB / "ssh_config"

    def deploy(self, requests=400, restarts=False, keep=False):
        hosts = {host: self.values(host, requests, restarts) for host in self.hosts}
        groups = {"zookeeper": {"hosts": {h: {} for h in self.keepers}}, "kafka": {"hosts": {h: {} for h in self.hosts}}}
        inventory = self.home / "ansible.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "children": groups}}))
        env = {
            **os.environ,
            "ANSIBLE_CONFIG": str(PEERS / "ansible/ansible.cfg"),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "ANSIBLE_SSH_ARGS": f"-F {self.config} -o ControlMaster=auto -o ControlPersist=60s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.home / "cp"),
            "ANSIBLE_FORCE_COLOR": "0",
        }
        if self.mitogen:
            at = next(self.at.glob("lib/python*/site-packages/ansible_mitogen/plugins/strategy"))
            env |= {"ANSIBLE_STRATEGY_PLUGINS": str(at), "ANSIBLE_STRATEGY": "mitogen_linear"}
        words = [self.at / "bin/ansible-playbook", "-i", inventory, PEERS / "ansible/site.yml"]
        return Seen(self.group, words, env=env, keep=keep)

    def no_op(self):
        seen = self.deploy()
        recap = [l for l in seen.text.splitlines() if "changed=" in l]
        assert len(recap) == len(self.hosts) and all("changed=0 " in l for l in recap), seen.text[-3000:]
        return seen


class Pyinfra(Peer):
    def __init__(self, *words, config=None):
        super().__init__(*words)
        self.config = config or LAB / "ssh_config"

    def deploy(self, requests=400, restarts=False):
        ssh = {"ssh_config_file": str(self.config), "ssh_known_hosts_file": str(LAB / "known_hosts"),
               "ssh_user": "pi", "ssh_key": str(LAB / "key"), "ssh_look_for_keys": False, "ssh_allow_agent": False}
        host = lambda h: (h, {**ssh, **self.values(h, requests, restarts)})
        inventory = self.home / "inventory.py"
        inventory.write_text(f"zookeeper = {[host(h) for h in self.keepers]!r}\nkafka = {[host(h) for h in self.hosts]!r}\n")
        words = [self.at / "bin/pyinfra", "-y", inventory, PEERS / "pyinfra/deploy.py"]
        return Seen(self.group, words, env={**os.environ, "NO_COLOR": "1"}, cwd=self.home)

    def no_op(self):
        return self.deploy()
