"""A long line between two networks: what goes in at one end comes out at the other, later.

usage: link.py NAMESPACE NAMESPACE DELAY_MS MARKER...

Makes a TAP device `wan` in each namespace and joins the two: the kernel needs no netem for that. Reads
`count` on standard input and answers, in the order of the markers, how many packets with TCP payload
that has the marker have gone from the first network to the second. `end` or the end of input ends it.
"""

import ctypes
import fcntl
import heapq
import os
import selectors
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x0002 | 0x1000
CLONE_NEWNET = 0x40000000
# Longest frame, and frames under way: what a line of 50 Mbit/s holds in a tenth of a second, and more.
FRAME_BYTES_MAX = 2048
FRAMES_MAX = 4096


def enter(namespace):
    with open(f"/run/netns/{namespace}", "rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def tap(namespace):
    enter(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TAP_NO_PI))
    return device


class Watch:
    """Counts markers in the TCP payload of one direction, also where two packets share one."""

    def __init__(self, markers):
        self.markers = markers
        self.counts = [0] * len(markers)
        self.before = {}

    def see(self, frame):
        if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != 6:
            return
        header = 14 + (frame[14] & 15) * 4
        end = 14 + int.from_bytes(frame[16:18], "big")
        payload = frame[header + (frame[header + 12] >> 4) * 4:end]
        if not payload:
            return
        flow = frame[26:34] + frame[header:header + 4]
        text = self.before.get(flow, b"") + payload
        for number, marker in enumerate(self.markers):
            self.counts[number] += marker in text
        self.before[flow] = text[-64:]


def main():
    first, second, delay = sys.argv[1], sys.argv[2], float(sys.argv[3]) / 1000
    watch = Watch([marker.encode() for marker in sys.argv[4:]])
    ends = [tap(first), tap(second)]
    selector = selectors.DefaultSelector()
    for number, end in enumerate(ends):
        selector.register(end, selectors.EVENT_READ, number)
    selector.register(sys.stdin, selectors.EVENT_READ, None)
    print("ready", flush=True)
    under_way, order = [], 0
    while True:
        wait = under_way[0][0] - time.monotonic() if under_way else None
        for key, _ in selector.select(wait if wait is None else max(wait, 0)):
            if key.data is None:
                line = sys.stdin.readline().strip()
                if line in ("", "end"):
                    return
                print(*watch.counts, flush=True)
                continue
            try:
                frame = os.read(key.fd, FRAME_BYTES_MAX)
            except (BlockingIOError, OSError):
                continue
            if key.data == 0:
                watch.see(frame)
            if len(under_way) < FRAMES_MAX:
                order += 1
                heapq.heappush(under_way, (time.monotonic() + delay, order, 1 - key.data, frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, _, end, frame = heapq.heappop(under_way)
            try:
                os.write(ends[end], frame)
            except OSError:
                # The device is down: a frame that is lost.
                pass


main()
