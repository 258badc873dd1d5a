// One RTCPeerConnection of a page, driven by requests: `await peer.ask({op, ...})`; what happens by itself is kept for
// `await peer.news()`. Messages are described by their length and SHA-256; short text comes as it is.

window.peer = (() => {
  const channels = new Map();
  const played = [];
  let connection;
  let told = [];
  let wake = () => {};

  const tell = (event) => { told.push(event); wake(); };

  // The same bytes on both sides, from a number: see `pattern` in the tests.
  const pattern = (size, seed) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + seed * 7 + (at >> 8)) & 255);

  async function digest(bytes) {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return [...hash].map((each) => each.toString(16).padStart(2, "0")).join("");
  }

  async function tellMessage(label, data) {
    const text = typeof data === "string";
    const bytes = text ? new TextEncoder().encode(data) : new Uint8Array(data);
    const body = text && bytes.length < 200 ? data : undefined;
    tell({ event: "message", label, text, size: bytes.length, sha256: await digest(bytes), body });
  }

  function watch(channel) {
    const { label } = channel;
    channels.set(label, channel);
    channel.binaryType = "arraybuffer";
    let turn = Promise.resolve(); // digests are asynchronous, and messages keep their order
    channel.onopen = () => tell({ event: "open", label, id: channel.id });
    channel.onclose = () => tell({ event: "closed", label });
    channel.onmessage = ({ data }) => { turn = turn.then(() => tellMessage(label, data)); };
    if (channel.readyState === "open") tell({ event: "open", label, id: channel.id });
  }

  async function gathered() {
    while (connection.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 10));
    return connection.localDescription.sdp;
  }

  function play({ track }) {
    const element = document.createElement(track.kind);
    element.autoplay = true;
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
    element.play().catch(() => {});
    played.push(element);
    tell({ event: "track", kind: track.kind });
  }

  function prefer(transceiver, codec) {
    const all = RTCRtpReceiver.getCapabilities("video").codecs;
    const wanted = all.filter(({ mimeType }) => mimeType.toLowerCase() === `video/${codec}`.toLowerCase());
    if (!wanted.length) throw new Error(`no ${codec} here`);
    transceiver.setCodecPreferences([...wanted, ...all.filter(({ mimeType }) => mimeType === "video/rtx")]);
  }

  async function film(camera) {
    const [track] = (await navigator.mediaDevices.getUserMedia({ video: camera })).getTracks();
    const transceiver = connection.getTransceivers().find(({ receiver }) => receiver.track.kind === "video");
    await transceiver.sender.replaceTrack(track);
    transceiver.direction = "sendonly";
    const parameters = transceiver.sender.getParameters();
    parameters.encodings.forEach((each, at, all) => { each.scaleResolutionDownBy = 2 ** (all.length - 1 - at); });
    await transceiver.sender.setParameters(parameters);
  }

  // The W3C's perfect negotiation: what is to be said comes as events, what the other side said goes to `signal`.
  let signal;
  function negotiate(polite) {
    const own = connection;
    const say = (message) => tell({ event: "signal", message: JSON.stringify(message) });
    let making = false;
    let ignoring = false;
    own.onnegotiationneeded = async () => {
      making = true;
      await own.setLocalDescription();
      say({ description: own.localDescription });
      making = false;
    };
    own.onicecandidate = ({ candidate }) => say({ candidate });
    signal = async ({ description, candidate }) => {
      if (!description) {
        if (!ignoring) await own.addIceCandidate(candidate);
        return;
      }
      const collision = description.type === "offer" && (making || own.signalingState !== "stable");
      if (collision) tell({ event: "collision" });
      ignoring = collision && !polite;
      if (ignoring) return;
      await own.setRemoteDescription(description);
      if (description.type === "offer") {
        await own.setLocalDescription();
        say({ description: own.localDescription });
      }
    };
  }

  const operations = {
    perfect({ polite }) { negotiate(polite); },
    async signal({ message }) { await signal(JSON.parse(message)); },
    state() { return connection.signalingState; },
    // {configuration?}: begins anew; an earlier connection is closed and what it told is forgotten.
    start({ configuration = {} }) {
      connection?.close();
      channels.clear();
      for (const element of played.splice(0)) element.remove();
      told = [];
      connection = new RTCPeerConnection(configuration);
      connection.onconnectionstatechange = (({ target }) => tell({ event: "state", state: target.connectionState }));
      connection.ontrack = play;
      connection.ondatachannel = ({ channel }) => {
        tell({ event: "channel", label: channel.label, protocol: channel.protocol, id: channel.id });
        watch(channel);
      };
    },
    open({ label, ...options }) { watch(connection.createDataChannel(label, options)); },
    async offer({ iceRestart = false }) {
      await connection.setLocalDescription(await connection.createOffer({ iceRestart }));
      return gathered();
    },
    // {sdp, camera: {width, height}?}: a camera is sent on the first video section of the offer, in as many layers as it asks for.
    async answer({ sdp, camera }) {
      await connection.setRemoteDescription({ type: "offer", sdp });
      if (camera) await film(camera);
      await connection.setLocalDescription();
      return gathered();
    },
    async accept({ sdp }) { await connection.setRemoteDescription({ type: "answer", sdp }); },
    text({ label, text }) { channels.get(label).send(text); },
    bytes({ label, size, seed }) { channels.get(label).send(pattern(size, seed)); },
    // {label, count, size}: as many messages as the buffer takes at a time, numbered by their seed.
    async pour({ label, count, size }) {
      const channel = channels.get(label);
      channel.bufferedAmountLowThreshold = 65536;
      for (let seed = 0; seed < count; seed++) {
        if (channel.bufferedAmount > 262144) await new Promise((done) => { channel.onbufferedamountlow = done; });
        channel.send(pattern(size, seed));
      }
    },
    close({ label }) { channels.get(label).close(); },
    end() { connection.close(); },
    // {kind, codec?, rids?, scalability?, width?, height?}: a fake microphone or camera, on a section of its own if there is a choice to
    // be made, else on whichever section is free: only those are taken for what an offer of the other side wants.
    async send({ kind, codec, rids, scalability, width = 320, height = 240 }) {
      const wanted = kind === "video" ? { video: { width, height } } : { audio: true };
      const [track] = (await navigator.mediaDevices.getUserMedia(wanted)).getTracks();
      const stream = new MediaStream([track]);
      if (!codec && !rids) {
        const sender = connection.addTrack(track, stream);
        return connection.getTransceivers().findIndex((each) => each.sender === sender);
      }
      const encodings = (rids ?? (scalability ? [undefined] : undefined))?.map((rid, at, all) => ({
        ...(rid && { rid, scaleResolutionDownBy: 2 ** (all.length - 1 - at) }), ...(scalability && { scalabilityMode: scalability }),
      }));
      const transceiver = connection.addTransceiver(track, { streams: [stream], ...(encodings && { sendEncodings: encodings }) });
      if (codec) prefer(transceiver, codec);
      if (scalability) {
        const known = transceiver.getHeaderExtensionsToNegotiate();
        const wanted = ({ uri }) => uri.includes("dependency-descriptor") || uri.includes("video-layers-allocation");
        for (const each of known.filter(wanted)) each.direction = "sendrecv";
        transceiver.setHeaderExtensionsToNegotiate(known);
      }
      return connection.getTransceivers().indexOf(transceiver);
    },
    codecs() { return [...new Set(RTCRtpSender.getCapabilities("video").codecs.map(({ mimeType }) => mimeType.slice(6)))]; },
    stop({ index }) { connection.getTransceivers()[index].stop(); },
    async stats() { return [...(await connection.getStats()).values()]; },
  };

  return {
    async ask({ op, ...rest }) { return (await operations[op](rest)) ?? null; },
    // Everything since the last call, as soon as there is something; an empty list after a while.
    async news() {
      if (!told.length) {
        await new Promise((done) => { wake = done; setTimeout(done, 2000); });
      }
      return told.splice(0);
    },
  };
})();
