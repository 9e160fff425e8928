"""Starts meshes of har nodes and watches what they log: usage: mesh.py HAR NODES..."""

import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Longest wait for anything, in seconds.
PATIENCE = 300
# How long a mesh rests before and while its idle processor time is measured, in seconds.
REST = 20

EVENT = re.compile(r"node(up|down) peer='([^']+)'")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Mesh:
    """Nodes of one private EPMD. What each sees of the others is read from its log."""

    def __init__(self, har):
        self.har = har
        self.folder = tempfile.mkdtemp(prefix="har-mesh-")
        self.port = free_port()
        self.nodes = {}
        self.selector = selectors.DefaultSelector()
        arguments = [har, "epmd", "-port", str(self.port), "-address", "127.0.0.1"]
        self.epmd = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait(lambda: self.epmd_answers(), "EPMD")

    def epmd_answers(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def start(self, number, join):
        name = f"n{number}@127.0.0.1"
        arguments = [self.har, "start", "--name", name, "--cookie", "mesh", "--no-epmd"]
        arguments += ["--epmd-port", str(self.port), "--log", "compact", "--log-level", "info"]
        if join:
            arguments += ["--connect", join]
        environment = {"HOME": self.folder, "NO_COLOR": "1"}
        process = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment
        )
        os.set_blocking(process.stderr.fileno(), False)
        self.nodes[name] = {"process": process, "peers": set(), "rest": ""}
        self.selector.register(process.stderr, selectors.EVENT_READ, name)
        return name

    def read(self, timeout):
        for key, _ in self.selector.select(timeout):
            data = key.fileobj.read()
            if not data:
                self.selector.unregister(key.fileobj)
                continue
            node = self.nodes.get(key.data)
            if node is None:
                continue
            lines = (node["rest"] + data.decode(errors="replace")).split("\n")
            node["rest"] = lines.pop()
            for line in lines:
                for change, peer in EVENT.findall(line):
                    (node["peers"].add if change == "up" else node["peers"].discard)(peer)

    def wait(self, done, what):
        started = time.monotonic()
        while not done():
            if time.monotonic() - started > PATIENCE:
                counts = sorted(len(node["peers"]) for node in self.nodes.values())
                raise SystemExit(f"mesh: waited in vain for {what}; peers: {counts}")
            self.read(0.01)
        return time.monotonic() - started

    def is_full(self):
        return all(len(node["peers"]) == len(self.nodes) - 1 for node in self.nodes.values())

    def everybody_sees(self, name):
        return all(name in node["peers"] for other, node in self.nodes.items() if other != name)

    def nobody_sees(self, name):
        return all(name not in node["peers"] for node in self.nodes.values())

    def end(self, name, how):
        node = self.nodes.pop(name)
        node["process"].send_signal(how)
        took = self.wait(lambda: self.nobody_sees(name), f"the end of {name}")
        node["process"].wait()
        return took

    def processes(self):
        return [node["process"].pid for node in self.nodes.values()]

    def close(self):
        for node in self.nodes.values():
            node["process"].kill()
        for node in self.nodes.values():
            node["process"].wait()
        self.epmd.kill()
        self.epmd.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def memory_mib(pid, field):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith(field):
                return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pids):
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            try:
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except FileNotFoundError:
                pass
    return total / 1e9


def measure(har, count):
    mesh = Mesh(har)
    try:
        started = time.monotonic()
        first = mesh.start(1, None)
        for number in range(2, count + 1):
            mesh.start(number, first)
        mesh.wait(mesh.is_full, "the full mesh")
        full = time.monotonic() - started
        cpu_full = cpu_seconds(mesh.processes())
        # The logs are read on, so that no node waits for a reader.
        settled = time.monotonic() + REST
        mesh.wait(lambda: time.monotonic() > settled, "rest")
        before, at = cpu_seconds(mesh.processes()), time.monotonic()
        mesh.wait(lambda: time.monotonic() > at + REST, "rest")
        idle = (cpu_seconds(mesh.processes()) - before) / (time.monotonic() - at)
        rss = [memory_mib(pid, "Rss:") for pid in mesh.processes()]
        pss = [memory_mib(pid, "Pss:") for pid in mesh.processes()]
        at = time.monotonic()
        name = mesh.start(count + 1, first)
        mesh.wait(lambda: mesh.everybody_sees(name) and mesh.is_full(), "a join")
        join = time.monotonic() - at
        leave = mesh.end(name, signal.SIGTERM)
        crash = mesh.end(f"n{count}@127.0.0.1", signal.SIGKILL)
        return (
            f"| {count} | {full:.1f} s | {cpu_full / count:.2f} s | {sum(rss) / count:.1f} MiB "
            f"| {sum(pss) / count:.1f} MiB | {idle / count * 1000:.2f} ms/s "
            f"| {join * 1000:.0f} ms | {leave * 1000:.0f} ms | {crash * 1000:.0f} ms |"
        )
    finally:
        mesh.close()


def main():
    har, counts = sys.argv[1], " ".join(sys.argv[2:]).split()
    print("| nodes | full mesh | processor time for it, a node | resident, a node | its own share "
          "| idle, a node | a join seen by all | a leave | a crash |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for count in counts:
        print(measure(har, int(count)), flush=True)


main()
