// One peer connection of somebody else's stack, driven by JSON lines: a request {"id", "op", ...} on stdin is answered by
// {"id", "result"} or {"id", "error"}; what happens by itself comes as {"event", ...}. Messages are described by their
// length and SHA-256, so that large ones cost nothing here; short text comes as it is.
//
//   node peer.mjs libdatachannel|werift

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

// ---- werift ------------------------------------------------------------------------------------------------------------

async function werift() {
  const { RTCPeerConnection } = await import('werift');
  const peer = new RTCPeerConnection({
    iceServers: [], iceUseIpv6: false, iceAdditionalHostAddresses: ['127.0.0.1'], maxMessageSize: 1 << 18,
  });
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

  async function gathered() {
    while (peer.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 10));
    return peer.localDescription.sdp;
  }

  return {
    open({ label, ordered = true, maxRetransmits, maxPacketLifeTime, protocol = '' }) {
      watch(peer.createDataChannel(label, { ordered, maxRetransmits, maxPacketLifeTime, protocol }));
    },
    async offer() {
      await peer.setLocalDescription(await peer.createOffer());
      return gathered();
    },
    async answer({ sdp }) {
      await peer.setRemoteDescription({ type: 'offer', sdp });
      await peer.setLocalDescription(await peer.createAnswer());
      return gathered();
    },
    async accept({ sdp }) { await peer.setRemoteDescription({ type: 'answer', sdp }); },
    text({ label, text }) { channels.get(label).send(text); },
    bytes({ label, size, seed }) { channels.get(label).send(pattern(size, seed)); },
    close({ label }) { channels.get(label).close(); },
    async end() { await peer.close(); },
  };
}

// ---- the driver --------------------------------------------------------------------------------------------------------

const operations = await { libdatachannel, werift }[process.argv[2]]();
say({ event: 'ready' });
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    say({ id: request.id, result: (await operations[request.op](request)) ?? null });
  } catch (error) {
    say({ id: request.id, error: String(error?.stack ?? error) });
  }
}
