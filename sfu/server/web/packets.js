// The few protobuf fields of LiveKit's DataPacket that a chat needs, written and read by hand.
//
// Chat lines travel as text streams with the topic "lk.chat", as today's SDKs and components send them (sendText): a
// header, chunks and a trailer. Two older forms are read as well: UserPacket with the topic "lk-chat-topic" and a JSON
// payload, and ChatMessage packets (the JavaScript SDK's sendChatMessage).

const text = new TextEncoder();
const utf8 = new TextDecoder();
export const CHAT_TOPIC = "lk.chat";
const OLD_TOPIC = "lk-chat-topic";
const CHUNK = 15_000; // bytes of text in one packet
const LONGEST = 100_000; // bytes of a line that is read; what sends more is not read at all
const OPEN = 100; // streams that have begun and not ended; above it the oldest is forgotten

function varint(value) {
  const bytes = [];
  let rest = value;
  while (rest > 127) {
    bytes.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

function field(number, content) {
  if (typeof content === "number") return [...varint(number * 8), ...varint(content)];
  const bytes = typeof content === "string" ? text.encode(content) : content;
  return [...varint(number * 8 + 2), ...varint(bytes.length), ...bytes];
}

/** Yield [number, value] of each field; value is a number or a Uint8Array. */
function* fields(bytes) {
  let at = 0;
  const number = () => {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = bytes[at++];
      if (byte === undefined) throw new Error("cut short");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  };
  while (at < bytes.length) {
    const key = number();
    const kind = key & 7;
    if (kind === 0) {
      yield [Math.floor(key / 8), number()];
    } else if (kind === 2) {
      const size = number();
      yield [Math.floor(key / 8), bytes.subarray(at, at + size)];
      at += size;
    } else if (kind === 1 || kind === 5) {
      at += kind === 1 ? 8 : 4;
    } else {
      throw new Error(`wire type ${kind}`);
    }
  }
}

/**
 * The reliable DataPackets of a chat line, in order. The first has the number `sequence`, the others those that follow:
 * numbers must grow, because receivers drop what they think they have seen.
 */
export function encodeChat({ id, timestamp, message }, sequence) {
  const bytes = text.encode(message);
  const header = [
    ...field(1, id), ...field(2, timestamp), ...field(3, CHAT_TOPIC), ...field(4, "text/plain"), ...field(5, bytes.length),
    ...field(9, ""), // it is text
  ];
  const parts = [[13, header]];
  for (let from = 0, index = 0, to; from < bytes.length; from = to, index++) {
    to = Math.min(from + CHUNK, bytes.length);
    while ((bytes[to] & 0xc0) === 0x80) to--; // no character is cut in two
    parts.push([14, [...field(1, id), ...field(2, index), ...field(3, bytes.subarray(from, to))]]);
  }
  parts.push([15, field(1, id)]);
  return parts.map(([number, content], more) => new Uint8Array([...field(number, content), ...field(16, sequence + more)]));
}

/** Reads the chat lines of all participants out of DataPackets. */
export class ChatReader {
  constructor() {
    this.streams = new Map(); // those that have begun, by sender and id
  }

  /** The chat line that ends with this packet, or null: {id, message, timestamp, identity}. The server stamps the identity. */
  read(data) {
    let identity = "";
    let found = null;
    for (const [number, value] of fields(new Uint8Array(data))) {
      if (number === 4) identity = utf8.decode(value);
      else if (number in READERS) found = [number, value];
    }
    const line = found && READERS[found[0]].call(this, found[1], identity);
    return line && { ...line, identity };
  }

  begin(bytes, identity) {
    const line = { id: "", timestamp: Date.now(), message: "" };
    let topic = "";
    for (const [number, value] of fields(bytes)) {
      if (number === 1) line.id = utf8.decode(value);
      if (number === 2) line.timestamp = value;
      if (number === 3) topic = utf8.decode(value);
    }
    if (topic !== CHAT_TOPIC) return null;
    this.streams.set(`${identity} ${line.id}`, { line, chunks: [], size: 0 });
    if (this.streams.size > OPEN) this.streams.delete(this.streams.keys().next().value);
    return null;
  }

  goOn(bytes, identity) {
    let id = "";
    let content = new Uint8Array();
    for (const [number, value] of fields(bytes)) {
      if (number === 1) id = utf8.decode(value);
      if (number === 3) content = value;
    }
    const stream = this.streams.get(`${identity} ${id}`);
    if (!stream) return null;
    stream.chunks.push(content);
    stream.size += content.length;
    if (stream.size > LONGEST) this.streams.delete(`${identity} ${id}`);
    return null;
  }

  finish(bytes, identity) {
    let id = "";
    for (const [number, value] of fields(bytes)) if (number === 1) id = utf8.decode(value);
    const stream = this.streams.get(`${identity} ${id}`);
    this.streams.delete(`${identity} ${id}`);
    if (!stream) return null;
    const whole = new Uint8Array(stream.size);
    let at = 0;
    for (const chunk of stream.chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return { ...stream.line, message: utf8.decode(whole) };
  }
}

const READERS = {
  2: fromUser,
  9: fromChatMessage,
  13: ChatReader.prototype.begin,
  14: ChatReader.prototype.goOn,
  15: ChatReader.prototype.finish,
};

function fromUser(bytes) {
  let topic = "";
  let payload = null;
  for (const [number, value] of fields(bytes)) {
    if (number === 2) payload = value;
    if (number === 4) topic = utf8.decode(value);
  }
  if (topic !== OLD_TOPIC || payload === null) return null;
  const { id, message, timestamp, ignoreLegacy } = JSON.parse(utf8.decode(payload));
  if (ignoreLegacy) return null; // components send a line in both forms, and mark this one
  return { id: String(id), message: String(message), timestamp: Number(timestamp) || Date.now() };
}

function fromChatMessage(bytes) {
  const line = { id: "", message: "", timestamp: Date.now() };
  for (const [number, value] of fields(bytes)) {
    if (number === 1) line.id = utf8.decode(value);
    if (number === 2) line.timestamp = value;
    if (number === 4) line.message = utf8.decode(value);
  }
  return line;
}
