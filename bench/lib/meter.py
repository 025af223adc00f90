"""What a command takes: time, its own memory and processor time, and that of all it started."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def mount_of_groups():
    """Where a control group with an account of processor time can be made (version 2, or 1)."""
    v2 = v1 = None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, at, kind, options, *_ = line.split()
        if kind == "cgroup2":
            v2 = v2 or at
        elif kind == "cgroup" and "cpuacct" in options.split(","):
            v1 = v1 or at
    return Path(v1 or v2 or sys.exit("bench: no control groups are mounted"))


class Group:
    """A control group of what one command starts, masters of ssh in the background too."""

    def __init__(self):
        self.path = mount_of_groups() / f"sdtd-bench-{os.getpid()}"
        self.path.mkdir(exist_ok=True)

    def enter(self):
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def seconds(self):
        old = self.path / "cpuacct.usage"
        if old.exists():
            return int(old.read_text()) / 1e9
        fields = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(fields["usage_usec"]) / 1e6

    def masters(self):
        """Memory of all ssh in it that is theirs alone, in MiB."""
        kib = 0
        for pid in (self.path / "cgroup.procs").read_text().split():
            try:
                status = dict(l.split(":", 1) for l in Path(f"/proc/{pid}/status").read_text().splitlines())
            except OSError:
                continue
            if status["Name"].strip() == "ssh" and "RssAnon" in status:
                kib += int(status["RssAnon"].split()[0])
        return kib / 1024

    def end_rest(self):
        """Ends what the command left running: kept connections. The next one makes its own."""
        while pids := (self.path / "cgroup.procs").read_text().split():
            for pid in pids:
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.01)


class Seen:
    """One run: `seconds`, `mib` (the most it had), `masters` (the most that its ssh had), `own` and `all` seconds of
    processor time, `text`."""

    def __init__(self, group, words, env=None, cwd=None, keep=False):
        before, began = group.seconds(), time.monotonic()
        child = subprocess.Popen([str(w) for w in words], env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=group.enter)
        self.kib, self.own, self.masters, self.over = 0, 0.0, 0.0, False
        watch = threading.Thread(target=self.watch, args=(child.pid, group))
        watch.start()
        # Not until its end: what it leaves in the background may hold it open.
        text, reader = [], None
        reader = threading.Thread(target=lambda: text.extend(child.stdout), daemon=True)
        reader.start()
        code = child.wait()
        self.seconds = time.monotonic() - began
        self.over = True
        watch.join()
        self.all = group.seconds() - before
        if not keep:
            group.end_rest()
        reader.join(timeout=5)
        self.text = b"".join(text).decode(errors="replace")
        self.mib = self.kib / 1024
        if code:
            sys.exit(f"bench: {' '.join(map(str, words))} ended with {code}:\n{self.text[-4000:]}")

    def watch(self, pid, group):
        """The kernel's own figures of a process, read until it ends: they only grow. Seldom once it takes long: to look
        costs the machine something too."""
        began = looked = time.monotonic()
        while not self.over:
            if time.monotonic() > looked + 0.5:
                self.masters = max(self.masters, group.masters())
                looked = time.monotonic()
            try:
                status = Path(f"/proc/{pid}/status").read_text()
                self.kib = max([self.kib, *(int(l.split()[1]) for l in status.splitlines() if l.startswith("VmHWM"))])
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                self.own = (int(fields[11]) + int(fields[12])) / TICK
            except OSError:
                return
            time.sleep(0.01 if time.monotonic() - began < 2 else 0.1)
