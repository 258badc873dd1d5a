// One stay in a room: LiveKit signalling in its JSON form over a WebSocket, and one peer connection on which only we
// offer. The page hears of everything through one callback, `changed(what)`, and reads the state from the fields here.

import { ChatReader, encodeChat } from "./packets.js";

const LEAVE_TEXT = {
  DUPLICATE_IDENTITY: "You joined again from somewhere else, so this session was closed.",
  SERVER_SHUTDOWN: "The server was stopped. Join again once it is back.",
  ROOM_DELETED: "The room was closed.",
  ROOM_CLOSED: "The room was closed.",
  PARTICIPANT_REMOVED: "You were removed from the room.",
  STATE_MISMATCH: "The server could not follow this connection. Reload the page and join again.",
  JOIN_FAILURE: "No media connection came up. Check that UDP to the server is not blocked.",
};

export class Refused extends Error {}

export class Session {
  constructor({ token, local, muted, changed, simulcast = false }) {
    this.token = token;
    this.local = local; // { audio: MediaStreamTrack | null, video: MediaStreamTrack | null }
    this.muted = muted; // { audio: boolean, video: boolean }: what the user wants, published or not
    for (const kind of ["audio", "video"]) if (local[kind]) local[kind].enabled = !muted[kind];
    this.changed = changed;
    this.simulcast = simulcast;
    this.me = null;
    this.roomName = "";
    this.participants = new Map(); // identity -> ParticipantInfo
    this.published = new Map(); // kind -> { sid, transceiver }
    this.trackOfMid = {};
    this.state = "connecting"; // connecting, connected, interrupted, closed
    this.ending = null; // { text, again } once it is over
    this.sequence = 0;
    this.chatReader = new ChatReader();
    this.offerId = 0;
    this.offering = false;
    this.offerAgain = false;
    this.waiting = new Map(); // cid -> resolve of track_published
    this.pc = null;
    this.ws = null;
  }

  async open() {
    const query = new URLSearchParams({ access_token: this.token, encoding: "json", auto_subscribe: "1" });
    const where = new URL(`/rtc/v1?${query}`, location.href);
    const ws = new WebSocket(where.href.replace(/^http/, "ws"));
    this.ws = ws;
    await new Promise((resolve, reject) => {
      this.abandon = () => reject(new Refused(""));
      ws.onmessage = (event) => {
        this.receive(JSON.parse(event.data));
        if (this.me) resolve();
      };
      ws.onclose = ws.onerror = () => reject(this.ending ? new Refused(this.ending.text) : new Error("closed"));
    }).catch(async (error) => {
      this.close();
      throw error instanceof Refused ? error : new Refused(await whyRefused(query));
    });
    ws.onerror = null;
    ws.onclose = () => this.end("The connection to the server was lost.", true);
    this.pings = setInterval(() => this.send({ pingReq: { timestamp: String(Date.now()), rtt: "0" } }), 5000);
    this.begin();
  }

  begin() {
    const pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.pc = pc;
    pc.onicecandidate = ({ candidate }) => {
      if (candidate) this.send({ trickle: { candidateInit: JSON.stringify(candidate), target: "PUBLISHER" } });
    };
    pc.onconnectionstatechange = () => {
      if (pc.connectionState === "connected") this.become("connected");
      if (pc.connectionState === "disconnected") this.become("interrupted");
      if (pc.connectionState === "failed") this.end("The media connection failed. UDP to the server may be blocked.", true);
    };
    this.reliable = pc.createDataChannel("_reliable", { ordered: true });
    this.lossy = pc.createDataChannel("_lossy", { ordered: false, maxRetransmits: 0 });
    for (const channel of [this.reliable, this.lossy]) {
      channel.binaryType = "arraybuffer";
      channel.onmessage = ({ data }) => this.receiveData(data);
    }
    this.reliable.onopen = () => this.changed("chat-open");
    // A few sections for what is in the room already, so that one offer brings it.
    let audios = 0;
    let videos = 0;
    for (const each of this.participants.values()) {
      for (const track of each.tracks ?? []) track.type === "VIDEO" ? videos++ : audios++;
    }
    this.addSections(audios, videos);
    this.offer();
    for (const kind of ["audio", "video"]) if (this.local[kind]) this.publish(kind);
  }

  addSections(audios, videos) {
    for (let i = 0; i < audios; i++) this.pc.addTransceiver("audio", { direction: "recvonly" });
    for (let i = 0; i < videos; i++) this.pc.addTransceiver("video", { direction: "recvonly" });
  }

  async publish(kind) {
    const track = this.local[kind];
    const source = kind === "audio" ? "MICROPHONE" : "CAMERA";
    const { width = 0, height = 0 } = track.getSettings();
    const muted = this.muted[kind];
    const ask = { cid: track.id, name: source.toLowerCase(), type: kind.toUpperCase(), source, width, height, muted, stream: "camera" };
    const published = new Promise((resolve) => this.waiting.set(track.id, resolve));
    this.send({ addTrack: ask });
    const info = await published;
    if (this.state === "closed") return;
    if (!info) return this.changed("refused", kind);
    const options = { direction: "sendonly", streams: [new MediaStream([track])] };
    if (kind === "video") options.sendEncodings = this.encodings(height || 720);
    const transceiver = this.pc.addTransceiver(track, options);
    this.published.set(kind, { sid: info.sid, transceiver });
    if (this.muted[kind] !== muted) this.send({ mute: { sid: info.sid, muted: this.muted[kind] } });
    this.offer();
    this.changed("published");
  }

  encodings(height) {
    if (!this.simulcast) return [{ maxBitrate: 2_500_000 }];
    return [
      { rid: "q", scaleResolutionDownBy: 4, maxBitrate: 160_000 },
      { rid: "h", scaleResolutionDownBy: 2, maxBitrate: 600_000 },
      { rid: "f", maxBitrate: height > 480 ? 2_500_000 : 1_200_000 },
    ];
  }

  /** Mute or unmute; a camera that is off is released, so its light goes out. */
  async setMuted(kind, muted) {
    this.muted[kind] = muted;
    if (this.local[kind]) this.local[kind].enabled = !muted; // at once, whatever the server knows yet
    const published = this.published.get(kind);
    if (published) this.send({ mute: { sid: published.sid, muted } });
    this.changed("published");
  }

  async replace(kind, track) {
    this.local[kind] = track;
    if (track) track.enabled = !this.muted[kind];
    const published = this.published.get(kind);
    if (published) await published.transceiver.sender.replaceTrack(track);
    else if (track) await this.publish(kind);
  }

  // One offer at a time; what changes meanwhile is in the next one.
  async offer() {
    if (this.offering) {
      this.offerAgain = true;
      return;
    }
    this.offering = true;
    try {
      await this.pc.setLocalDescription();
      this.send({ offer: { type: "offer", sdp: this.pc.localDescription.sdp, id: ++this.offerId } });
    } catch (error) {
      if (this.state !== "closed") this.end(`This browser could not make an offer: ${error.message}`, false);
    }
  }

  async answered(answer) {
    if ((answer.id ?? 0) !== this.offerId || !this.pc) return;
    try {
      await this.pc.setRemoteDescription({ type: "answer", sdp: withStartBitrate(answer.sdp) });
    } catch (error) {
      if (this.state !== "closed") this.end(`This browser refused the server's answer: ${error.message}`, false);
      return;
    }
    this.trackOfMid = answer.midToTrackId ?? {};
    this.offering = false;
    this.changed("tracks");
    if (this.offerAgain) {
      this.offerAgain = false;
      this.offer();
    }
  }

  receive(message) {
    if (message.join) {
      this.me = message.join.participant;
      this.roomName = message.join.room.name;
      for (const info of message.join.otherParticipants ?? []) this.participants.set(info.identity, info);
      this.changed("participants");
    } else if (message.update) {
      for (const info of message.update.participants ?? []) this.update(info);
      this.changed("participants");
    } else if (message.answer) {
      this.answered(message.answer);
    } else if (message.trackPublished) {
      this.waiting.get(message.trackPublished.cid)?.(message.trackPublished.track);
      this.waiting.delete(message.trackPublished.cid);
    } else if (message.mediaSectionsRequirement) {
      const { numAudios = 0, numVideos = 0 } = message.mediaSectionsRequirement;
      this.addSections(numAudios, numVideos);
      this.offer();
    } else if (message.requestResponse?.message) {
      const { message: text, addTrack } = message.requestResponse;
      this.explanation = text;
      this.changed("notice");
      this.waiting.get(addTrack?.cid)?.(null);
      this.waiting.delete(addTrack?.cid);
    } else if (message.leave) {
      const { reason, action } = message.leave;
      const text = LEAVE_TEXT[reason] ?? "The server ended the session.";
      this.end(this.explanation ? `${text} (${this.explanation})` : text, action === "RECONNECT");
    }
  }

  update(info) {
    const known = this.participants.get(info.identity);
    if (info.sid === this.me?.sid) return;
    if (info.state === "DISCONNECTED") {
      if (known?.sid === info.sid) this.participants.delete(info.identity);
    } else if (!known || known.sid !== info.sid || (known.version ?? 0) <= (info.version ?? 0)) {
      this.participants.set(info.identity, info);
    }
  }

  receiveData(data) {
    try {
      const line = this.chatReader.read(data);
      if (line) this.changed("chat", line);
    } catch (error) {
      console.warn("a data packet that is no chat line:", error.message);
    }
  }

  chat(message) {
    if (this.reliable?.readyState !== "open") return null;
    const line = { id: uniqueId(), timestamp: Date.now(), message };
    for (const packet of encodeChat(line, this.sequence + 1)) {
      this.reliable.send(packet);
      this.sequence++;
    }
    return { ...line, identity: this.me.identity };
  }

  /** { sid: MediaStreamTrack } of everything that is received now. */
  received() {
    const tracks = {};
    for (const { mid, receiver, currentDirection } of this.pc?.getTransceivers() ?? []) {
      const sid = this.trackOfMid[mid];
      if (sid && (currentDirection === "recvonly" || currentDirection === "sendrecv")) tracks[sid] = receiver.track;
    }
    return tracks;
  }

  /** What the browser counts, by track: the page's bitrates and the tests read this. */
  async stats() {
    const out = { connection: this.pc?.connectionState ?? "new", received: [], sent: [] };
    if (!this.pc) return out;
    for (const report of (await this.pc.getStats()).values()) {
      if (report.type === "inbound-rtp") {
        const sid = this.trackOfMid[report.mid];
        if (sid) out.received.push({ sid, owner: this.ownerOf(sid), kind: report.kind, ...pick(report) });
      } else if (report.type === "outbound-rtp") {
        out.sent.push({ sid: this.trackOfMid[report.mid], kind: report.kind, ...pick(report) });
      }
    }
    return out;
  }

  ownerOf(sid) {
    for (const each of this.participants.values()) if ((each.tracks ?? []).some((track) => track.sid === sid)) return each.identity;
    return "";
  }

  become(state) {
    if (this.state !== "closed" && this.state !== state) {
      this.state = state;
      this.changed("state");
    }
  }

  send(message) {
    if (this.ws?.readyState === WebSocket.OPEN) this.ws.send(JSON.stringify(message));
  }

  leave() {
    this.send({ leave: { reason: "CLIENT_INITIATED" } });
    this.end("", false);
  }

  end(text, again) {
    if (this.state === "closed") return;
    this.ending = { text, again };
    this.close();
    this.changed("ended");
  }

  close() {
    this.state = "closed";
    this.abandon?.();
    clearInterval(this.pings);
    if (this.ws) {
      this.ws.onclose = this.ws.onerror = this.ws.onmessage = null;
      this.ws.close();
    }
    this.pc?.close();
  }
}

// crypto.randomUUID exists on https and localhost only; the chat works everywhere.
function uniqueId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Chromium begins at 300 kbit/s and shrinks the picture to fit; this hint of its own lets it begin near the goal.
function withStartBitrate(sdp) {
  const sections = sdp.split(/(?=^m=)/m);
  return sections
    .map((section) => {
      const payload = /^a=rtpmap:(\d+) (?:VP8|H264|VP9|AV1)\/90000/m.exec(section)?.[1];
      if (!section.startsWith("m=video") || !payload || !/^a=(recvonly|sendrecv)/m.test(section)) return section;
      const hint = "x-google-start-bitrate=1200";
      const fmtp = new RegExp(`^a=fmtp:${payload} .*$`, "m");
      if (fmtp.test(section)) return section.replace(fmtp, (line) => `${line};${hint}`);
      return section.replace(/^a=rtpmap:.*\r?\n/m, (line) => `${line}a=fmtp:${payload} ${hint}\r\n`);
    })
    .join("");
}

const PICKED = [
  "rid", "bytesReceived", "bytesSent", "packetsReceived", "packetsSent", "packetsLost", "framesDecoded", "framesEncoded",
  "framesPerSecond", "frameWidth", "frameHeight", "keyFramesDecoded", "totalAudioEnergy", "audioLevel", "freezeCount",
  "qualityLimitationReason", "targetBitrate", "nackCount", "pliCount", "timestamp", "jitter",
];

function pick(report) {
  return Object.fromEntries(PICKED.filter((name) => name in report).map((name) => [name, report[name]]));
}

async function whyRefused(query) {
  try {
    const reply = await fetch(`/rtc/v1/validate?${query}`);
    const text = (await reply.text()).trim();
    return reply.ok ? "The WebSocket to the server did not open. A proxy in between may not let it through." : text;
  } catch {
    return "The server does not answer. Is it still running?";
  }
}
