// A page's side of a call: speaks 700 Hz, listens, and keeps the candidates it finds until they are asked for.
const context = new AudioContext();
const mouth = new MediaStreamAudioDestinationNode(context);
const tone = new OscillatorNode(context, { frequency: 700 });
tone.connect(mouth);
tone.start();
const ear = new AnalyserNode(context, { fftSize: 8192 });

const peer = new RTCPeerConnection();
const found = [];
peer.onicecandidate = ({ candidate }) => found.push(candidate && candidate.candidate);
peer.ontrack = ({ streams, track }) => {
  const stream = streams[0] ?? new MediaStream([track]);
  // Without an element that plays it, a remote stream is silent.
  window.player = Object.assign(new Audio(), { muted: true, srcObject: stream });
  window.player.play();
  new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(ear);
};
for (const track of mouth.stream.getTracks()) peer.addTrack(track, mouth.stream);

// A description before the candidates are there: it is to be sent at once.
async function described() {
  await peer.setLocalDescription();
  return peer.localDescription.sdp;
}

window.offer = described;
window.answer = async (sdp) => {
  await peer.setRemoteDescription({ type: "offer", sdp });
  return described();
};
window.accept = (sdp) => peer.setRemoteDescription({ type: "answer", sdp });
// null stands for their end.
window.candidates = () => found;
window.heard = () => {
  const levels = new Float32Array(ear.frequencyBinCount);
  ear.getFloatFrequencyData(levels);
  const bin = levels.indexOf(Math.max(...levels));
  return { hz: (bin * context.sampleRate) / ear.fftSize, db: levels[bin] };
};
window.figures = async () => {
  const all = [...(await peer.getStats()).values()];
  const of = (id) => all.find((one) => one.id === id);
  const one = (type) => all.find((some) => some.type === type) ?? null;
  const transport = one("transport");
  const pair = of(transport.selectedCandidatePairId);
  const inbound = one("inbound-rtp");
  return {
    dtls: transport.dtlsState,
    pair: pair && { state: pair.state, nominated: pair.nominated },
    local: pair && of(pair.localCandidateId),
    remote: pair && of(pair.remoteCandidateId),
    inbound,
    codec: inbound && of(inbound.codecId),
    outbound: one("outbound-rtp"),
    reported: one("remote-inbound-rtp"),
    sent: one("remote-outbound-rtp"),
  };
};
window.close = () => peer.close();
