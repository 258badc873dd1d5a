// One peer connection of somebody else's stack, driven by JSON lines: a request {"id", "op", ...} on stdin is answered by
// {"id", "result"} or {"id", "error"}; what happens by itself comes as {"event", ...}. Messages are described by their
// length and SHA-256, so that large ones cost nothing here; short text comes as it is.
//
//   node peer.mjs libdatachannel|werift|roamhq

import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n');
const digest = (data) => createHash('sha256').update(data).digest('hex');
// The same bytes on both sides, from a number: see `pattern` in the tests.
const pattern = (size, seed) => Buffer.from(Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 7 + (at >> 8)) & 255));

function tellMessage(label, data) {
  const text = typeof data === 'string';
  const bytes = text ? Buffer.from(data) : Buffer.from(data);
  say({ event: 'message', label, text, size: bytes.length, sha256: digest(bytes), body: text && bytes.length < 200 ? data : undefined });
}

// ---- libdatachannel, by node-datachannel --------------------------------------------------------------------------------

async function libdatachannel() {
  const { default: rtc } = await import('node-datachannel');
  rtc.initLogger('Error', (level, message) => say({ event: 'log', message }));
  const peer = new rtc.PeerConnection('theirs', {
    iceServers: [], bindAddress: '127.0.0.1', disableAutoNegotiation: true, maxMessageSize: 1 << 18,
  });
  const channels = new Map();
  let gathered;
  const complete = new Promise((resolve) => { gathered = resolve; });
  peer.onGatheringStateChange((state) => { if (state === 'complete') gathered(); });
  peer.onStateChange((state) => say({ event: 'state', state }));
  peer.onDataChannel((channel) => {
    watch(channel, channel.getLabel());
    say({ event: 'channel', label: channel.getLabel(), protocol: channel.getProtocol() });
  });

  function watch(channel, label) {
    channels.set(label, channel);
    channel.onOpen(() => say({ event: 'open', label }));
    channel.onClosed(() => { say({ event: 'closed', label }); });
    channel.onError((message) => say({ event: 'error', label, message }));
    channel.onMessage((data) => tellMessage(label, data));
    if (channel.isOpen()) say({ event: 'open', label });
  }

  return {
    open({ label, ordered = true, maxRetransmits, maxPacketLifeTime, protocol = '' }) {
      const options = { protocol, unordered: !ordered };
      if (maxRetransmits !== undefined) options.maxRetransmits = maxRetransmits;
      if (maxPacketLifeTime !== undefined) options.maxPacketLifeTime = maxPacketLifeTime;
      watch(peer.createDataChannel(label, options), label);
    },
    async offer() {
      peer.setLocalDescription('offer');
      await complete;
      return peer.localDescription().sdp;
    },
    async answer({ sdp }) {
      peer.setRemoteDescription(sdp, 'offer');
      peer.setLocalDescription('answer');
      await complete;
      return peer.localDescription().sdp;
    },
    accept({ sdp }) { peer.setRemoteDescription(sdp, 'answer'); },
    text({ label, text }) { channels.get(label).sendMessage(text); },
    bytes({ label, size, seed }) { channels.get(label).sendMessageBinary(pattern(size, seed)); },
    close({ label }) { channels.get(label).close(); },
    end() { peer.close(); },
  };
}

// ---- what stacks with the W3C's interface do alike ----------------------------------------------------------------------

function operationsOf(peer, channels) {
  async function gathered() {
    while (peer.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 10));
    return peer.localDescription.sdp;
  }

  return {
    async offer({ iceRestart = false }) {
      await peer.setLocalDescription(await peer.createOffer({ iceRestart }));
      return gathered();
    },
    async answer({ sdp }) {
      await peer.setRemoteDescription({ type: 'offer', sdp });
      await peer.setLocalDescription(await peer.createAnswer());
      return gathered();
    },
    async accept({ sdp }) { await peer.setRemoteDescription({ type: 'answer', sdp }); },
    text({ label, text }) { channels.get(label).send(text); },
    close({ label }) { channels.get(label).close(); },
  };
}

// ---- werift ------------------------------------------------------------------------------------------------------------

async function werift() {
  const { MediaStreamTrack, RTCPeerConnection, RTCRtpCodecParameters, RtpHeader, RtpPacket } = await import('werift');
  const feedback = [{ type: 'nack' }, { type: 'nack', parameter: 'pli' }];
  const peer = new RTCPeerConnection({
    iceServers: [], iceUseIpv6: false, iceAdditionalHostAddresses: ['127.0.0.1'], maxMessageSize: 1 << 18,
    codecs: {
      audio: [new RTCRtpCodecParameters({ mimeType: 'audio/opus', clockRate: 48000, channels: 2 })],
      video: [
        new RTCRtpCodecParameters({ mimeType: 'video/VP8', clockRate: 90000, rtcpFeedback: feedback, payloadType: 96 }),
        new RTCRtpCodecParameters({ mimeType: 'video/rtx', clockRate: 90000, parameters: 'apt=96', payloadType: 97 }),
      ],
    },
  });
  // What came of each kind: how many packets, and the digest of each payload that bears a number of ours.
  const heard = { audio: [], video: [], ssrc: {} };
  const timers = new Map();
  peer.onTrack.subscribe((track) => {
    track.onReceiveRtp.subscribe((packet) => {
      heard[track.kind].push(packet.payload.toString('hex'));
      heard.ssrc[track.kind] = packet.header.ssrc;
    });
  });

  // Payloads that a VP8 depacketizer would take for the beginning of a key frame; nobody decodes them.
  function feed(track) {
    let number = 0;
    return setInterval(() => {
      const header = new RtpHeader({
        payloadType: 96, sequenceNumber: number & 0xffff, timestamp: number * 960, ssrc: 1, marker: true,
      });
      track.writeRtp(new RtpPacket(header, Buffer.from([0x10, 0, 0, 0, 0x9d, 1, 0x2a, number >> 8, number & 255])));
      number += 1;
    }, 20);
  }
  const channels = new Map();
  peer.connectionStateChange.subscribe((state) => say({ event: 'state', state }));
  peer.onDataChannel.subscribe((channel) => {
    say({ event: 'channel', label: channel.label, protocol: channel.protocol });
    watch(channel);
  });

  function watch(channel) {
    const { label } = channel;
    channels.set(label, channel);
    const tell = (state) => {
      if (state === 'open') say({ event: 'open', label });
      if (state === 'closed') say({ event: 'closed', label });
    };
    channel.stateChanged.subscribe(tell);
    tell(channel.readyState);
    channel.onMessage.subscribe((data) => tellMessage(label, data));
  }

  return {
    ...operationsOf(peer, channels),
    open({ label, ordered = true, maxRetransmits, maxPacketLifeTime, protocol = '' }) {
      watch(peer.createDataChannel(label, { ordered, maxRetransmits, maxPacketLifeTime, protocol }));
    },
    bytes({ label, size, seed }) { channels.get(label).send(pattern(size, seed)); },
    // A number for the transceiver, by which it is stopped.
    send({ kind }) {
      const track = new MediaStreamTrack({ kind });
      const transceiver = peer.addTransceiver(track, { direction: 'sendrecv' });
      transceiver.sender.onPictureLossIndication.subscribe(() => say({ event: 'pli', kind }));
      timers.set(transceiver, feed(track));
      return [...timers.keys()].indexOf(transceiver);
    },
    stop({ index }) {
      const transceiver = [...timers.keys()][index];
      clearInterval(timers.get(transceiver));
      transceiver.stop();
    },
    media() { return heard; },
    async pli({ kind }) {
      const { receiver } = peer.getTransceivers().find((each) => each.kind === kind);
      await receiver.sendRtcpPLI(heard.ssrc[kind]);
    },
    async stats() { return [...(await peer.getStats()).values()]; },
    async end() {
      timers.forEach(clearInterval);
      await peer.close();
    },
  };
}

// ---- libwebrtc, by @roamhq/wrtc ----------------------------------------------------------------------------------------

async function roamhq() {
  const { default: wrtc } = await import('@roamhq/wrtc');
  const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource } = wrtc.nonstandard;
  const peer = new wrtc.RTCPeerConnection({ iceServers: [] });
  const channels = new Map();
  const timers = [];
  const sinks = [];
  // What its decoders gave: pictures by size, and how loud the loudest sample was.
  const heard = { pictures: {}, loudest: 0 };
  peer.onconnectionstatechange = () => say({ event: 'state', state: peer.connectionState });
  peer.ondatachannel = ({ channel }) => {
    say({ event: 'channel', label: channel.label, protocol: channel.protocol });
    watch(channel);
  };
  peer.ontrack = ({ track }) => {
    const sink = track.kind === 'video' ? new RTCVideoSink(track) : new RTCAudioSink(track);
    sink.onframe = ({ frame }) => {
      const size = `${frame.width}x${frame.height}`;
      heard.pictures[size] = (heard.pictures[size] ?? 0) + 1;
    };
    sink.ondata = ({ samples }) => {
      for (const sample of samples) heard.loudest = Math.max(heard.loudest, Math.abs(sample));
    };
    sinks.push(sink);
  };

  function watch(channel) {
    const { label } = channel;
    channels.set(label, channel);
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => say({ event: 'open', label });
    channel.onclose = () => say({ event: 'closed', label });
    channel.onmessage = ({ data }) => tellMessage(label, data);
    if (channel.readyState === 'open') say({ event: 'open', label });
  }

  function film() {
    const source = new RTCVideoSource();
    const [width, height] = [320, 240];
    let number = 0;
    timers.push(setInterval(() => {
      number += 1;
      const data = new Uint8ClampedArray(width * height * 3 / 2).fill(128);
      for (let at = 0; at < width * height; at += 1) data[at] = (at + number * 5) & 255;
      source.onFrame({ width, height, data });
    }, 50));
    return source.createTrack();
  }

  function sing() {
    const source = new RTCAudioSource();
    let at = 0;
    timers.push(setInterval(() => {
      const samples = Int16Array.from({ length: 480 }, () => Math.round(8000 * Math.sin((at++) * 2 * Math.PI * 440 / 48000)));
      source.onData({ samples, sampleRate: 48000, bitsPerSample: 16, channelCount: 1, numberOfFrames: 480 });
    }, 10));
    return source.createTrack();
  }

  return {
    ...operationsOf(peer, channels),
    open({ label, ordered = true, maxRetransmits, maxPacketLifeTime, protocol = '' }) {
      const options = { ordered, protocol };
      if (maxRetransmits !== undefined) options.maxRetransmits = maxRetransmits;
      if (maxPacketLifeTime !== undefined) options.maxPacketLifeTime = maxPacketLifeTime;
      watch(peer.createDataChannel(label, options));
    },
    bytes({ label, size, seed }) { channels.get(label).send(Uint8Array.from(pattern(size, seed))); },
    send({ kind }) { peer.addTrack(kind === 'video' ? film() : sing(), new wrtc.MediaStream()); },
    media() { return heard; },
    end() {
      timers.forEach(clearInterval);
      sinks.forEach((sink) => sink.stop());
      peer.close();
    },
  };
}

// ---- the driver --------------------------------------------------------------------------------------------------------

const operations = await { libdatachannel, werift, roamhq }[process.argv[2]]();
say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    say({ id: request.id, result: (await operations[request.op](request)) ?? null });
  } catch (error) {
    say({ id: request.id, error: String(error?.stack ?? error) });
  }
}
