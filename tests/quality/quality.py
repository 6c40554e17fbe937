#!/usr/bin/env python3
"""How speech sounds at the far end of our own calls, over a network that loses and delays packets repeatably.

Two headless phones call each other over loopback. One speaks the sentences of sentences.txt (espeak-ng), the other damages
what it receives (`--impair`) and records it. Each sentence is scored by PESQ (ITU-T P.862.2, wideband) against what was
spoken; the table shows the mean over sentences and seeds and, beside it, the delay that the jitter buffer held.

quality.py PROGRAM [--out FILE.md] [--quick]: `make quality` makes the virtual environment it needs.
"""
import argparse, json, os, pathlib, queue, socket, subprocess, sys, tempfile, threading, wave
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from pesq import pesq

HERE = pathlib.Path(__file__).parent
RATE = 16_000
VOICES = ['en-gb', 'en-us+f3', 'en-gb+m3', 'en-us']
PAUSE_S = 0.8
# RTCP reports loss every few seconds, and the sender adapts to it: the first seconds are the same voice, not scored.
LEAD_IN_S = 12.0
NETWORKS = [
    ('clean', 'loss=0', [1]),
    ('5 % loss', 'loss=5', [1, 2, 3]),
    ('20 % loss', 'loss=20', [1, 2, 3]),
    ('30 ± 20 ms', 'delay_ms=10,jitter_ms=40', [1, 2, 3]),
]
CODECS = ['pcmu', 'g722', 'opus']


def read(path):
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype='<i2').astype(np.float64)
        return samples, file.getframerate()


def write(path, samples, rate):
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(1), file.setsampwidth(2), file.setframerate(rate)
        file.writeframes(np.clip(samples, -32768, 32767).astype('<i2').tobytes())


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


class Phone:
    def __init__(self, program, folder, name, *more):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(('127.0.0.1', 0))
            self.port = probe.getsockname()[1]
        args = [program, 'headless', '--sip-account', f'sip:{name}@127.0.0.1', '--no-register', '--bind',
                f'127.0.0.1:{self.port}', '--config-dir', folder / name, *more]
        log = open(folder / f'{name}.log', 'w')
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True)
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.wait('ready')

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))

    def send(self, **command):
        self.process.stdin.write(json.dumps(command) + '\n')
        self.process.stdin.flush()

    def wait(self, event, timeout=20, **fields):
        while True:
            said = self.events.get(timeout=timeout)
            if said['event'] == 'error':
                sys.exit(f'a phone refused: {said}')
            if said['event'] == event and all(said.get(k) == v for k, v in fields.items()):
                return said


def call(program, tape, seconds, codec, network, seed):
    """What was heard at RATE, and the mean delay in the jitter buffer."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write(folder / 'silence.wav', np.zeros(RATE), RATE)
        impair = f'{network},seed={seed}'
        # Both directions lose, as on a real line; each learns of its own losses from the other.
        listener = Phone(program, folder, 'listener', '--codecs', codec, '--auto-answer', '0', '--impair', impair,
                         '--audio', f'file:{folder}/silence.wav,{folder}/heard.wav')
        speaker = Phone(program, folder, 'speaker', '--codecs', codec, '--audio', f'file:{tape},{folder}/other.wav')
        speaker.send(cmd='dial', to=f'sip:listener@127.0.0.1:{listener.port}')
        speaker.wait('call', state='connected')
        delays, waited = [], threading.Event()
        for _ in range(int(seconds)):
            waited.wait(1.0)
            listener.send(cmd='stats', call=1)
            delays.append(listener.wait('stats')['rx']['buffer_ms'])
        for phone in (speaker, listener):
            phone.send(cmd='quit')
            phone.process.wait(10)
        samples, rate = read(folder / 'heard.wav')
        return resample(samples, rate, RATE), float(np.mean(delays[len(delays) // 4:]))


def offset(spoken, heard):
    """How much later than spoken it was heard, in samples."""
    size = 1 << (len(spoken) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(spoken, size)), size)
    most = RATE
    shifts = np.concatenate([product[:most], product[-most:]])
    best = int(np.argmax(np.abs(shifts)))
    return best if best < most else best - 2 * most


def score(spoken, places, heard):
    scores = []
    for start, end in places:
        # PESQ aligns by itself within a second; a margin leaves it room.
        margin = RATE // 4
        a, b = start - margin, end + margin
        reference = spoken[a:b]
        shift = offset(reference, heard[max(0, a - RATE):b + RATE]) - min(a, RATE)
        degraded = heard[max(0, a + shift):max(0, b + shift)]
        degraded = np.pad(degraded, (0, len(reference) - len(degraded)))
        scores.append(pesq(RATE, reference.astype(np.int16), degraded.astype(np.int16), 'wb'))
    return scores


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('program')
    parser.add_argument('--out')
    parser.add_argument('--quick', action='store_true', help='one seed, four sentences')
    options = parser.parse_args()
    sentences = (HERE / 'sentences.txt').read_text().split('\n')
    sentences = [s for s in sentences if s][:4 if options.quick else None]
    with tempfile.TemporaryDirectory() as folder:
        spoken, places = speak(pathlib.Path(folder), sentences)
        tape = pathlib.Path(folder) / 'tape.wav'
        write(tape, spoken, RATE)
        runs = [(codec, name, network, seed) for codec in CODECS for name, network, seeds in NETWORKS
                for seed in (seeds[:1] if options.quick else seeds)]

        def run(one):
            codec, name, network, seed = one
            heard, delay = call(options.program, tape, len(spoken) / RATE, codec, network, seed)
            return codec, name, np.mean(score(spoken, places, heard)), delay

        # A call takes a few per cent of a core.
        with ThreadPoolExecutor(2 * (os.cpu_count() or 1)) as pool:
            results = list(pool.map(run, runs))
    lines = ['| PESQ-WB (buffer, ms) | ' + ' | '.join(name for name, _, _ in NETWORKS) + ' |',
             '|---' * (len(NETWORKS) + 1) + '|']
    for codec in CODECS:
        cells = []
        for name, _, _ in NETWORKS:
            these = [r for r in results if r[:2] == (codec, name)]
            cells.append(f'{np.mean([r[2] for r in these]):.2f} ({np.mean([r[3] for r in these]):.0f})')
        lines.append(f'| {codec} | ' + ' | '.join(cells) + ' |')
    table = '\n'.join(lines)
    print(table)
    if options.out:
        pathlib.Path(options.out).write_text(table + '\n')


if __name__ == '__main__':
    main()
