"""A bad network between two phones on one machine: SIP passes, RTP and RTCP are lost and delayed, the same packets for the same seed.

The relay stands where the caller dials and rewrites what both sides say of their media (RFC 4566) so that it passes here as well.
It needs no privileges. It also takes away what a phone offers beyond the standard set, to make one of ours a stranger to the other.
"""
import heapq, random, re, select, socket, threading, time
from dataclasses import dataclass


@dataclass(frozen=True)
class Network:
    """loss: share of packets, 0 to 1; burst: mean packets of a loss, 1 where each is lost by itself; delay, jitter: seconds, each
    packet is late by delay plus up to jitter, equally distributed."""
    loss: float = 0.0
    burst: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0

    def mean_ms(self):
        return 1000 * (self.delay + self.jitter / 2)


class Way:
    """One direction."""

    def __init__(self, network, seed):
        self.network, self.random, self.held, self.count, self.bad = network, random.Random(seed), [], 0, False

    def late_by(self):
        """Seconds, or None where the packet is lost."""
        network, draw = self.network, self.random.random()
        late = network.delay + self.random.random() * network.jitter
        if network.burst > 1:
            # Gilbert's two states: the bad one is left by 1/burst and entered as often as makes the share.
            leave = 1 / network.burst
            enter = network.loss * leave / (1 - network.loss)
            self.bad = draw >= leave if self.bad else draw < enter
        else:
            self.bad = draw < network.loss
        return None if self.bad else late


class Relay:
    """Between a caller and a callee, in a thread of its own until close()."""

    def __init__(self, host, callee_port, network, seed, without=()):
        self.host, self.without, self.callee, self.caller = host, without, (host, callee_port), None
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sip.bind((host, 0))
        self.port = self.sip.getsockname()[1]
        # In place of the caller's and of the callee's media: RTP, and RTCP on the next port (RFC 3550 §11).
        self.sides = [self._pair(), self._pair()]
        self.media = [None, None]
        self.ways = [Way(network, 2 * seed), Way(network, 2 * seed + 1)]
        self.queue, self.stop = [], False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def close(self):
        self.stop = True
        self.thread.join()
        for one in [self.sip, *self.sides[0], *self.sides[1]]:
            one.close()

    def _pair(self):
        while True:
            rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            rtp.bind((self.host, 0))
            rtcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                port = rtp.getsockname()[1]
                if port % 2 == 0:
                    rtcp.bind((self.host, port + 1))
                    return rtp, rtcp
            except OSError:
                pass
            rtp.close(), rtcp.close()

    def _run(self):
        sockets = [self.sip, *self.sides[0], *self.sides[1]]
        while not self.stop:
            now = time.monotonic()
            while self.queue and self.queue[0][0] <= now:
                _, _, by, packet, to = heapq.heappop(self.queue)
                by.sendto(packet, to)
            wait = min(0.1, self.queue[0][0] - now) if self.queue else 0.1
            for ready in select.select(sockets, [], [], max(0, wait))[0]:
                try:
                    packet, source = ready.recvfrom(65_536)
                except OSError:  # the other side's port is closed: it has hung up
                    continue
                self._signal(packet, source) if ready is self.sip else self._pass(ready, packet)

    def _signal(self, packet, source):
        from_callee = source == self.callee
        if not from_callee:
            self.caller = source
        to = self.caller if from_callee else self.callee
        if to:
            self.sip.sendto(self._rewritten(packet, 1 if from_callee else 0), to)

    def _pass(self, ready, packet):
        # What comes to the callee's place is the caller's, and goes on from the caller's place.
        told = 0 if ready in self.sides[1] else 1
        part = self.sides[1 - told].index(ready)
        to, late = self.media[1 - told], self.ways[told].late_by()
        if to and late is not None:
            self.ways[told].count += 1
            address = (to[0], to[1] + part)
            by = self.sides[told][part]
            heapq.heappush(self.queue, (time.monotonic() + late, time.monotonic_ns(), by, packet, address))

    def _rewritten(self, packet, side):
        head, gap, body = packet.partition(b'\r\n\r\n')
        if not body or b'application/sdp' not in head.lower():
            return packet
        lines = body.decode().splitlines()
        address = next(line.split()[-1] for line in lines if line.startswith('c='))
        drop = {m[1] for line in lines if (m := re.match(r'a=rtpmap:(\d+) ([\w-]+)', line)) and m[2] in self.without}
        kept = []
        for line in lines:
            if re.match(r'a=(candidate|ice-|rtcp:|end-of)', line) or any(re.match(rf'a=\w+:{pt} ', line) for pt in drop):
                continue
            if line.startswith('c='):
                line = f'c=IN IP4 {self.host}'
            if line.startswith('m=audio '):
                kind, port, profile, *types = line.split()
                self.media[side] = (address, int(port))
                port = self.sides[side][0].getsockname()[1]
                line = ' '.join([kind, str(port), profile, *(t for t in types if t not in drop)])
            kept.append(line)
        body = ('\r\n'.join(kept) + '\r\n').encode()
        head = re.sub(rb'(?im)^(content-length|l)\s*:\s*\d+', b'Content-Length: %d' % len(body), head)
        return head + gap + body
