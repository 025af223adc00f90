"""ZooKeeper and Kafka, as pyinfra's documents have such things: packages only where they are missing, one connection a host."""

import os

from pyinfra import config, host
from pyinfra.facts.files import File
from pyinfra.operations import files, server, systemd
from pyinfra.operations.util import any_changed

config.SUDO = True

TEMPLATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../ansible/templates")
PACKAGES = host.data.packages


def package(name):
    what = PACKAGES[name]
    if not host.get_fact(File, path=f"{what['store']}/{what['creates']}"):
        there = f"/var/tmp/{name}.tar"
        files.put(name=f"{name}: archive", src=what["file"], dest=there)
        unpack = "-xzf" if what["gzip"] else "-xf"
        server.shell(name=f"{name}: unpack", commands=[
            f"mkdir -p {what['store']}",
            f"tar {unpack} {there} --no-same-owner --strip-components={what['strip']} -C {what['store']}",
            f"rm {there}",
        ])
    files.link(name=f"{name}: link", path=f"/opt/{name}", target=what["store"])


def service(user, unit, port, folders, templates):
    server.group(name=f"{unit}: group", group=user, system=True)
    server.user(name=f"{unit}: user", user=user, group=user, system=True, home="/nonexistent", ensure_home=False,
                shell="/usr/sbin/nologin")
    for folder in folders:
        files.directory(name=f"{unit}: {folder}", path=folder, user=user, group=user, mode="750")
    values = {key: getattr(host.data, key) for key in ("number", "address", "rack", "servers", "ensemble", "requests")}
    changed = [files.template(name=f"{unit}: {to}", src=f"{TEMPLATES}/{src}.j2", dest=to, user=user, group=user,
                              mode="644", **values)
               for src, to in templates.items()]
    text = files.template(name=f"{unit}: unit", src=f"{TEMPLATES}/{unit}.service.j2",
                          dest=f"/etc/systemd/system/{unit}.service", mode="644")
    systemd.daemon_reload(name=f"{unit}: read again", _if=text.did_change)
    systemd.service(name=f"{unit}: started", service=unit, enabled=True, running=True)
    if host.data.restarts:
        systemd.service(name=f"{unit}: restarted", service=unit, restarted=True, _if=any_changed(text, *changed))
    server.shell(name=f"{unit}: listens", _if=any_changed(text, *changed), commands=[
        f"timeout 120 bash -c 'until (: </dev/tcp/127.0.0.1/{port}) 2>/dev/null; do sleep 0.2; done'"])


package("java")
package("kafka")
if "zookeeper" in host.groups:
    package("zookeeper")
    service("zookeeper", "zookeeper-server", 2181,
            ["/etc/zookeeper", "/var/log/zookeeper", "/var/lib/zookeeper", "/var/lib/zookeeper/tmp",
             "/var/lib/zookeeper/server"],
            {"zoo.cfg": "/etc/zookeeper/zoo.cfg", "logback.xml": "/etc/zookeeper/logback.xml",
             "myid": "/var/lib/zookeeper/server/myid"})
service("kafka", "kafka-broker", 9092,
        ["/etc/kafka", "/var/log/kafka", "/var/lib/kafka", "/var/lib/kafka/tmp", "/var/lib/kafka/broker"],
        {"server.properties": "/etc/kafka/server.properties", "log4j.properties": "/etc/kafka/log4j.properties"})
