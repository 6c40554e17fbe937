#!/usr/bin/env python3
"""How speech sounds at the far end of a call over a network that loses and delays packets repeatably.

Two of our phones call each other, and ours calls Debian's baresip and is called by it, all with files in place of sound cards and a
relay (relay.py) as the network. One speaks the sentences of sentences.txt (espeak-ng); what the other hears is scored by PESQ (ITU-T
P.862.2, wideband) against what was spoken, sentence by sentence, and shifted against it by what the call took from mouth to ear.
Both directions lose, as on a real line; each phone learns of its own losses from the other.

quality.py PROGRAM [--docs FOLDER] [--quick]: `make quality` makes the virtual environment it needs.
"""
import argparse, os, pathlib, subprocess, sys, tempfile, threading, wave
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
import numpy as np
from pesq import pesq
import report
from phones import Baresip, Ours, Veth, processor_s
from relay import Network, Relay

HERE = pathlib.Path(__file__).parent
RATE = 16_000
VOICES = ['en-gb', 'en-us+f3', 'en-gb+m3', 'en-us']
PAUSE_S = 0.8
# RTCP reports loss every few seconds, and the sender adapts to it: the first seconds are the same voice, not scored.
LEAD_IN_S = 12.0
SEEDS = [1, 2, 3]
NETWORKS = {
    'clean': Network(),
    '5 % loss': Network(loss=0.05),
    '20 % loss': Network(loss=0.2),
    '20 % in bursts': Network(loss=0.2, burst=2.5),
    '30 ± 20 ms': Network(delay=0.01, jitter=0.04),
}
# Name of the row, who speaks and who hears, codec, what the relay takes out of the offers.
WAYS = [
    ('PCMU', 'ours', 'ours', 'pcmu', ()),
    ('G.722', 'ours', 'ours', 'g722', ()),
    ('Opus, to any Opus peer', 'ours', 'ours', 'opus', ('red',)),
    ('Opus, between two of ours', 'ours', 'ours', 'opus', ()),
    ('PCMU, ours to baresip', 'ours', 'baresip', 'pcmu', ()),
    ('PCMU, baresip to ours', 'baresip', 'ours', 'pcmu', ()),
    ('Opus, ours to baresip', 'ours', 'baresip', 'opus', ()),
    ('Opus, baresip to ours', 'baresip', 'ours', 'opus', ()),
]


def read(path):
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype='<i2').astype(np.float64)
        return samples[::file.getnchannels()], file.getframerate()


def write(path, samples, rate, channels=1):
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(channels), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(np.repeat(np.clip(samples, -32768, 32767).astype('<i2'), channels).tobytes())


def resample(samples, rate, to):
    """By Fourier transform: exact for what both rates can hold."""
    count = int(round(len(samples) * to / rate))
    spectrum = np.fft.rfft(samples)
    kept = np.zeros(count // 2 + 1, dtype=complex)
    size = min(len(spectrum), len(kept))
    kept[:size] = spectrum[:size]
    return np.fft.irfft(kept, count) * to / rate


def speak(folder, sentences):
    """The tape, and where each sentence stands on it, in samples at RATE."""
    parts, places, at = [], [], 0
    for number, sentence in enumerate(sentences):
        path = folder / f's{number}.wav'
        subprocess.run(['espeak-ng', '-v', VOICES[number % len(VOICES)], '-s', '150', '-w', path, sentence], check=True)
        samples = resample(*read(path), RATE)
        samples *= 6_000 / max(1.0, np.sqrt(np.mean(samples**2)) * 3)
        parts += [samples, np.zeros(int(PAUSE_S * RATE))]
        places.append((at, at + len(samples)))
        at += len(samples) + int(PAUSE_S * RATE)
    body = np.concatenate(parts)
    lead = body[:int(LEAD_IN_S * RATE)]
    return np.concatenate([lead, body, np.zeros(RATE)]), [(a + len(lead), b + len(lead)) for a, b in places]


class Calls:
    """Makes calls, and says what was heard in them."""

    def __init__(self, program, spoken, places, veth):
        self.program, self.spoken, self.places, self.veth = program, spoken, places, veth

    def phone(self, who, name, folder, host, codec, sound):
        if who == 'ours':
            write(folder / f'{name}.wav', sound, RATE)
            return Ours(self.program, folder, name, host, codec, (folder / f'{name}.wav', folder / f'{name}-heard.wav'))
        tape = lambda path, rate, channels: write(path, resample(sound, RATE, rate), rate, channels)
        return Baresip(folder, name, host, self.veth.device, codec, tape)

    def run(self, way, network, seed):
        """As call(); a phone that does not start, because another took its port, has another two tries."""
        for left in (2, 1, 0):
            try:
                return self.call(way, network, seed)
            except SystemExit as why:
                if not left:
                    raise
                print(f'{way[0]}, {network}, seed {seed}: once more, since {why}', file=sys.stderr, flush=True)

    def call(self, way, network, seed):
        """Mean PESQ, milliseconds from mouth to ear beside the network's own, and the processor time of ours in 60 seconds.

        What baresip writes down has not waited in its buffer: no delay is told of it.
        """
        _, speaker, listener, codec, without = way
        host = self.veth.host if 'baresip' in way else '127.0.0.1'
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            with closing(self.phone(listener, 'listener', folder, host, codec, np.zeros(len(self.spoken)))) as hears, \
                    closing(Relay(host, hears.port, NETWORKS[network], seed, without)) as relay, \
                    closing(self.phone(speaker, 'speaker', folder, host, codec, self.spoken)) as speaks:
                speaks.dial(host, relay.port)
                hears.connected(), speaks.connected()
                ours = hears if listener == 'ours' else speaks
                before = processor_s(ours.process)
                seconds = len(self.spoken) / RATE
                threading.Event().wait(seconds)
                load = (processor_s(ours.process) - before) / seconds * 60
                if not all(way.count for way in relay.ways):
                    sys.exit(f'{way[0]}: the call went past the network that was to spoil it')
                speaks.end(), hears.end()
                samples, rate = read(hears.heard)
            scores, delays = self.score(resample(samples, rate, RATE))
            delay = np.median(delays) - NETWORKS[network].mean_ms() if listener == 'ours' else np.nan
            told = ' '.join(f'{score:.2f}' for score in scores)
            print(f'{way[0]}, {network}, seed {seed}: {told}; {delay:.0f} ms, {load:.2f} s', file=sys.stderr, flush=True)
            return np.mean(scores), delay, load

    def score(self, heard):
        """PESQ and the shift in milliseconds, of each sentence."""
        scores, shifts, last = [], [], 0
        for start, end in self.places:
            # PESQ aligns by itself within a second; a margin leaves it room.
            margin = RATE // 4
            a, b = start - margin, end + margin
            reference = self.spoken[a:b]
            # From where the sentence before was: baresip plays nothing for what is lost, and so is ahead more and more.
            first = max(0, a + last - RATE)
            last = shift = offset(reference, heard[first:b + last + RATE]) + first - a
            degraded = heard[max(0, a + shift):max(0, b + shift)]
            degraded = np.pad(degraded, (0, len(reference) - len(degraded)))
            # PESQ has no number for silence: nothing worse can be heard.
            heard_it = np.any(np.abs(degraded) > 50)
            scores.append(pesq(RATE, reference.astype(np.int16), degraded.astype(np.int16), 'wb') if heard_it else 1.0)
            shifts.append(1000 * shift / RATE)
        return scores, shifts


def offset(spoken, heard):
    """How much later than spoken it was heard, in samples."""
    size = 1 << (len(spoken) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(spoken, size)), size)
    most = 2 * RATE
    shifts = np.concatenate([product[:most], product[-most:]])
    best = int(np.argmax(np.abs(shifts)))
    return best if best < most else best - 2 * most


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--docs', type=pathlib.Path, help='write quality.md and quality.svg there')
    parser.add_argument('--quick', action='store_true', help='one seed, four sentences')
    options = parser.parse_args()
    sentences = [s for s in (HERE / 'sentences.txt').read_text().split('\n') if s]
    try:
        veth = Veth()
    except subprocess.CalledProcessError as why:
        print(f'baresip is left out, for it needs an address beside 127.x: {why.stderr.decode().strip()}', file=sys.stderr)
        veth = None
    try:
        with tempfile.TemporaryDirectory() as folder:
            spoken, places = speak(pathlib.Path(folder), sentences[:4 if options.quick else None])
        calls = Calls(options.program, spoken, places, veth)
        runs = [(way, network, seed) for way in WAYS if veth or 'baresip' not in way for network in NETWORKS
                for seed in SEEDS[:1 if options.quick or network == 'clean' else None]]
        # A call takes a few per cent of a core; a process each, for a score takes the interpreter as long as it takes.
        with ProcessPoolExecutor(7 * (os.cpu_count() or 1)) as pool:
            results = list(pool.map(calls.run, *zip(*runs)))
    finally:
        if veth:
            veth.close()
    cells = defaultdict(list)
    for (way, network, _), result in zip(runs, results):
        cells[way[0], network].append(result)
    means = {key: np.mean(values, axis=0) for key, values in cells.items()}
    rows = [way[0] for way in WAYS if (way[0], 'clean') in means]
    print(report.table(rows, list(NETWORKS), means))
    if options.docs:
        report.write(options.docs, rows, list(NETWORKS), means, len(sentences), SEEDS)


if __name__ == '__main__':
    main()
