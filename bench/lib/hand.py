"""The same three packages, files and services, by ssh, tar and systemctl, as a person would script it."""

import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor

from .lab import HOSTS, KEEPERS, LAB, address, everywhere, ssh, wait_for

CONFIG = "/etc/kafka /etc/zookeeper /etc/systemd/system /var/lib/zookeeper/server/myid /var/lib/sdtd/bench/units"
FOLDERS = "/var/log/kafka /var/lib/kafka/tmp /var/lib/kafka/broker /var/log/zookeeper /var/lib/zookeeper/tmp /var/lib/zookeeper/server"


def packages(plan):
    """What is brought to hosts, by name: the file here, and the step that says how it is unpacked."""
    found, files = {}, plan["files"]
    for wave in plan["plan"]["waves"]:
        for batch in wave["batches"]:
            for step in batch["steps"]:
                if step["do"] == "package":
                    found.setdefault(step["name"], (files[step["sha256"]], step))
    return found


class ByHand:
    def __init__(self, plan):
        self.packages = packages(plan)
        self.config = {}

    def take_config(self):
        """Keeps the small files that a deploy wrote: they are not what is measured."""
        for host in HOSTS:
            there = f"sudo sh -c 'tar -C / -czf - $(ls -d {CONFIG} 2>/dev/null)'"
            done = subprocess.run(["ssh", "-F", LAB / "ssh_config", host, there],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
            self.config[host] = done.stdout

    def __call__(self):
        with tempfile.TemporaryDirectory(prefix="bench-") as sockets:
            keep = ["-o", "ControlMaster=auto", "-o", f"ControlPath={sockets}/%h", "-o", "ControlPersist=30"]
            everywhere(HOSTS, lambda host: self.prepare(host, keep))
            streams = [(host, name) for host in HOSTS for name in self.packages
                       if name != "zookeeper" or host in KEEPERS]
            with ThreadPoolExecutor(len(streams)) as pool:
                list(pool.map(lambda s: self.stream(*s, keep), streams))
            everywhere(HOSTS, lambda host: self.link(host, keep))
            self.start(KEEPERS, "zookeeper-server", 2181, keep)
            self.start(HOSTS, "kafka-broker", 9092, keep)
            everywhere(HOSTS, lambda host: ssh(host, "true", *keep, "-O", "exit", check=False))

    def prepare(self, host, keep):
        with tempfile.TemporaryFile() as file:
            file.write(self.config[host])
            file.seek(0)
            users = "for u in kafka zookeeper; do useradd -r -U -d /nonexistent -s /usr/sbin/nologin $u; done"
            stores = " ".join(what["store"] for _, what in self.packages.values())
            # The servers want to be told that there are no data yet, as a deploy tells them.
            text = (f"{users}; mkdir -p {stores} {FOLDERS}; tar -xzf - -C /; touch /var/lib/zookeeper/server/initialize; "
                    "chown -R kafka: /var/log/kafka /var/lib/kafka; chown -R zookeeper: /var/log/zookeeper /var/lib/zookeeper")
            ssh(host, f"sudo sh -c '{text}'", *keep, stdin=file)

    def stream(self, host, name, keep):
        path, what = self.packages[name]
        unpack = "-xz" if what["gzip"] else "-x"
        command = f"sudo tar {unpack} --no-same-owner --strip-components={what['strip']} -C {what['store']} -f -"
        with open(path, "rb") as file:
            ssh(host, command, *keep, stdin=file)

    def link(self, host, keep):
        links = "; ".join(f"ln -sfn {what['store']} /opt/{name}" for name, (_, what) in self.packages.items())
        ssh(host, f"sudo sh -c '{links}; systemctl daemon-reload'", *keep)

    def start(self, hosts, unit, port, keep):
        everywhere(hosts, lambda host: ssh(host, f"sudo systemctl enable --now -q {unit}", *keep))
        everywhere(hosts, lambda host: wait_for(address(host), port))


def restart_one_by_one():
    """What five brokers' restarts take by themselves: each stopped, started, and its port open again."""
    for host in HOSTS:
        ssh(host, "sudo systemctl restart kafka-broker")
        wait_for(address(host), 9092)
