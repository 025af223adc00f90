"""The lab of five hosts, and plain ssh to them."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("SDTD_LAB", "/var/tmp/sdtd-lab"))
HOSTS = [f"pi{n}" for n in range(1, 6)]
KEEPERS = HOSTS[:3]


def address(host):
    return f"10.77.0.{host[2:]}"


def run(*words, check=True, **more):
    ended = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=900, **more)
    if check and ended.returncode:
        sys.exit(f"bench: {' '.join(map(str, words))} ended with {ended.returncode}:\n{ended.stdout.decode()[-3000:]}")
    return ended


def lab(*words):
    ended = run(ROOT / "lab/lab", *words, check=False)
    if ended.returncode == 77:
        print(f"bench: skipped: {ended.stdout.decode().strip()}", file=sys.stderr)
        sys.exit(77)
    if ended.returncode:
        sys.exit(f"bench: lab {words}: {ended.stdout.decode()}")


def fresh(nodes=5):
    lab("down")
    lab("up", "--nodes", str(nodes))


def alone():
    """One user of the lab at a time, as in its tests: held as long as what this gives."""
    file = open("/tmp/sdtd-lab-user.lock", "w")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def ssh(host, command, *options, stdin=subprocess.DEVNULL, **more):
    return run("ssh", "-F", LAB / "ssh_config", *options, host, command, stdin=stdin, **more)


def everywhere(hosts, work):
    with ThreadPoolExecutor(len(hosts)) as pool:
        return list(pool.map(work, hosts))


def timed(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


def wait_for(host, port):
    until = time.monotonic() + 120
    while time.monotonic() < until:
        try:
            socket.create_connection((host, port), timeout=2).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"bench: {host}:{port} does not open")


def plain_ssh(hosts=HOSTS, config=None, forks=32):
    """New connections at once, up to `forks`, and nothing done over them."""
    words = ["ssh", "-F", str(config or LAB / "ssh_config"), "-o", "ControlPath=none"]
    one = lambda host: subprocess.call([*words, host, "true"], stdin=subprocess.DEVNULL)
    with ThreadPoolExecutor(forks) as pool:
        if any(pool.map(one, hosts)):
            sys.exit("bench: ssh failed")
