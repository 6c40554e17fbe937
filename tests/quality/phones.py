"""The two phones that are compared: ours, headless, and Debian's baresip, both with files in place of microphone and headset."""
import contextlib, json, os, pathlib, queue, socket, subprocess, sys, threading, wave

TICKS = os.sysconf('SC_CLK_TCK')


def free_port(host, kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def processor_s(process):
    """Seconds of processor time that a process has taken."""
    fields = pathlib.Path(f'/proc/{process.pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Phone:
    """A process whose messages wait in a queue."""

    def __init__(self, folder, name, args, stdin=None):
        self.log = open(folder / f'{name}.log', 'w')
        self.messages = queue.Queue()
        out = self.log if stdin is None else subprocess.PIPE
        self.process = subprocess.Popen(args, stdin=stdin, stdout=out, stderr=self.log)

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.log.close()


class Ours(Phone):
    def __init__(self, program, folder, name, host, codec, audio, *more):
        args = [program, 'headless', '--sip-account', f'sip:{name}@{host}', '--no-register', '--bind', f'{host}:0',
                '--config-dir', folder / name, '--codecs', codec, '--auto-answer', '0', '--audio', f'file:{audio[0]},{audio[1]}']
        super().__init__(folder, name, [*args, *more], subprocess.PIPE)
        self.heard = audio[1]
        threading.Thread(target=self._read, daemon=True).start()
        self.port = int(self.wait('ready')['sip'].rpartition(':')[2])

    def _read(self):
        for line in self.process.stdout:
            self.messages.put(json.loads(line))

    def send(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b'\n')
        self.process.stdin.flush()

    def wait(self, event, timeout=20, **fields):
        while True:
            said = self.messages.get(timeout=timeout)
            if said['event'] == 'error':
                sys.exit(f'a phone refused: {said}')
            if said['event'] == event and all(said.get(k) == v for k, v in fields.items()):
                return said

    def dial(self, host, port):
        self.send(cmd='dial', to=f'sip:listener@{host}:{port}')

    def connected(self):
        self.wait('call', state='connected')

    def buffer_ms(self):
        self.send(cmd='stats', call=1)
        return self.wait('stats')['rx']['buffer_ms']

    def end(self):
        self.send(cmd='quit')
        self.process.wait(10)


class Baresip(Phone):
    CODECS = {'pcmu': ('PCMU/8000/1', 'g711', 8_000, 1), 'opus': ('opus/48000/2', 'opus', 48_000, 2)}

    def __init__(self, folder, name, host, device, codec, tape):
        """tape: where to find what to play, by rate: Debian's has no resampler."""
        self.folder, self.port, control = folder / name, free_port(host, socket.SOCK_DGRAM), free_port('127.0.0.1', socket.SOCK_STREAM)
        codec, module, rate, channels = self.CODECS[codec]
        self.folder.mkdir()
        play = self.folder / 'play.wav'
        tape(play, rate, channels)
        config = f'''poll_method epoll
sip_listen {host}:{self.port}
net_interface {device}
audio_player none,
audio_source aufile,{play}
audio_alert none,
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels {channels}
auplay_channels {channels}
audio_level no
rtp_timeout 0
jitter_buffer_delay 1-5
module_path /usr/lib/baresip/modules
module {module}.so
module aufile.so
module sndfile.so
module uuid.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {self.folder}
opus_bitrate 96000
opus_inbandfec yes
'''
        account = f'<sip:{name}@{host}>;regint=0;audio_codecs={codec};answermode=auto\n'
        for file, text in [('config', config), ('accounts', account), ('contacts', ''),
                           ('uuid', '11111111-2222-3333-4444-555555555555')]:
            (self.folder / file).write_text(text)
        super().__init__(folder, name, ['baresip', '-4', '-f', self.folder])
        self.control = self._connect(control)
        threading.Thread(target=self._read, daemon=True).start()

    def _connect(self, port):
        waited = threading.Event()
        for _ in range(200):
            with contextlib.suppress(OSError):
                return socket.create_connection(('127.0.0.1', port), 5)
            waited.wait(0.05)
        sys.exit('baresip did not open its control port')

    def _read(self):
        self.control.settimeout(None)
        with contextlib.suppress(OSError), self.control.makefile('rb') as stream:
            while head := stream.read(1):
                while not head.endswith(b':'):
                    head += stream.read(1)
                self.messages.put(json.loads(stream.read(int(head[:-1]))))
                stream.read(1)

    def dial(self, host, port):
        text = json.dumps({'command': 'dial', 'params': f'sip:listener@{host}:{port}', 'token': 'dial'})
        self.control.sendall(f'{len(text)}:{text},'.encode())

    def connected(self):
        while self.messages.get(timeout=20).get('type') != 'CALL_ESTABLISHED':
            pass

    def end(self):
        self.close()
        self.control.close()

    @property
    def heard(self):
        return next(self.folder.glob('dump-*-dec.wav'))


class Veth:
    """An address that stays on this machine and is not 127.x, which baresip's media refuses."""

    def __init__(self):
        self.device, self.host = f'amq{os.getpid() % 0xffff:x}', f'10.78.{os.getpid() % 250}.1'
        for words in [f'link add {self.device} type veth peer name {self.device}p', f'addr add {self.host}/24 dev {self.device}',
                      f'link set {self.device} up', f'link set {self.device}p up']:
            subprocess.run(['ip', *words.split()], check=True, capture_output=True)

    def close(self):
        subprocess.run(['ip', 'link', 'del', self.device], check=True)
