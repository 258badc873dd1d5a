// The few protobuf fields of LiveKit's DataPacket that a chat needs, written and read by hand.
//
// Chat lines travel as UserPacket with the topic "lk-chat-topic" and a JSON payload, the form that the Python SDK's
// ChatManager and LiveKit's older components use; ChatMessage packets (the JavaScript SDK's sendChatMessage) are read
// as well.

const text = new TextEncoder();
const utf8 = new TextDecoder();
export const CHAT_TOPIC = "lk-chat-topic";

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

/** A reliable DataPacket with a chat line. `sequence` must grow: receivers drop what they think they have seen. */
export function encodeChat(message, sequence) {
  const user = [...field(2, text.encode(JSON.stringify(message))), ...field(4, CHAT_TOPIC), ...field(8, message.id)];
  return new Uint8Array([...field(2, user), ...field(16, sequence)]);
}

/** The chat line in a DataPacket, or null: {id, message, timestamp, identity}. The server stamps the identity. */
export function decodeChat(data) {
  const bytes = new Uint8Array(data);
  let identity = "";
  let line = null;
  for (const [number, value] of fields(bytes)) {
    if (number === 4) identity = utf8.decode(value);
    if (number === 2) line = fromUser(value);
    if (number === 9) line = fromChatMessage(value);
  }
  return line && { ...line, identity };
}

function fromUser(bytes) {
  let topic = "";
  let payload = null;
  for (const [number, value] of fields(bytes)) {
    if (number === 2) payload = value;
    if (number === 4) topic = utf8.decode(value);
  }
  if (topic !== CHAT_TOPIC || payload === null) return null;
  const { id, message, timestamp } = JSON.parse(utf8.decode(payload));
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
