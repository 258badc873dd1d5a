// The page: lobby, tiles, chat, buttons. What happens on the wire is in session.js.

import { Refused, Session } from "./session.js";

const $ = (id) => document.getElementById(id);
const params = new URLSearchParams(location.search);
const NOT_SECURE = "Camera and microphone need https or localhost, so you only watch and chat.";
const RETRIES = [500, 1000, 2000, 4000, 8000];

const page = {
  session: null,
  local: { audio: null, video: null },
  want: { audio: true, video: true },
  tiles: new Map(), // identity -> element
  rates: new Map(), // track sid -> { bytes, at, bps }
  messages: [],
  unread: 0,
  identity: params.get("identity") ?? "",
  retry: 0,
  wanted: false, // the user wants to be in the room
  silent: false, // the browser waits for a gesture before it plays
};

// ------------------------------------------------------------------ joining

async function enter(name, room) {
  showError("");
  if (!name || !room) {
    showError(name ? "Give the room a name." : "Tell the others your name.");
    return;
  }
  $("enter").disabled = true;
  page.wanted = true;
  page.name = name;
  page.room = room;
  try {
    await openDevices();
    await connect();
    history.replaceState(null, "", `?${new URLSearchParams({ ...Object.fromEntries(params), room, name })}`);
  } catch (error) {
    page.wanted = false;
    stopDevices();
    showError(error instanceof Refused ? error.message : `Something went wrong: ${error.message}`);
    show("lobby");
  } finally {
    $("enter").disabled = false;
  }
}

async function connect() {
  const token = params.get("token") ?? (await fetchToken(page.name, page.room));
  if (!page.wanted) throw new Refused(""); // left meanwhile
  const session = new Session({
    token,
    local: page.local,
    muted: { audio: !page.want.audio, video: !page.want.video },
    simulcast: params.has("simulcast"),
    changed: (what, detail) => page.session === session && changed(what, detail),
  });
  page.session = session;
  show("stage");
  render();
  await session.open();
  page.retry = 0;
  render();
}

async function fetchToken(name, room) {
  const query = new URLSearchParams({ room, name });
  if (page.identity) query.set("identity", page.identity);
  let reply;
  try {
    reply = await fetch(`/dev/token?${query}`);
  } catch {
    throw new Refused("The server does not answer. Is it still running?");
  }
  if (reply.status === 404) {
    throw new Refused("This server gives no tokens away: open a link that ends in ?token=… (make one with “sfu token”).");
  }
  const body = await reply.json();
  if (!reply.ok) throw new Refused(body.error);
  page.identity = body.identity;
  return body.token;
}

async function openDevices() {
  page.want.audio = $("with-mic").checked;
  page.want.video = $("with-cam").checked;
  if (!page.want.audio && !page.want.video) return;
  if (!navigator.mediaDevices) {
    notice(NOT_SECURE);
    page.want.audio = page.want.video = false;
    return;
  }
  for (const wish of wishes()) {
    try {
      const stream = await navigator.mediaDevices.getUserMedia(wish);
      page.local.audio = stream.getAudioTracks()[0] ?? null;
      page.local.video = stream.getVideoTracks()[0] ?? null;
      break;
    } catch (error) {
      notice(explainDevice(error));
    }
  }
  page.want.audio &&= Boolean(page.local.audio);
  page.want.video &&= Boolean(page.local.video);
}

function wishes() {
  const video = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };
  const audio = { echoCancellation: true, noiseSuppression: true };
  const { audio: a, video: v } = page.want;
  return a && v ? [{ audio, video }, { audio }, { video }] : [{ audio: a && audio, video: v && video }];
}

function explainDevice(error) {
  if (error.name === "NotAllowedError") return "The browser blocked camera or microphone: allow it next to the address, then turn it on below.";
  if (error.name === "NotFoundError") return "No camera or microphone was found, so you only watch and chat.";
  if (error.name === "NotReadableError") return "Another program uses the camera or microphone: close it, then turn it on below.";
  return `Camera or microphone cannot be used: ${error.message}`;
}

function stopDevices() {
  for (const kind of ["audio", "video"]) {
    page.local[kind]?.stop();
    page.local[kind] = null;
  }
}

// ------------------------------------------------------------------ what the session tells

function changed(what, detail) {
  if (what === "chat") addMessage(detail);
  else if (what === "ended") ended();
  else if (what === "notice") notice(page.session.explanation);
  else if (what === "refused") refused(detail);
  else render();
}

// The server does not take this kind of track from us: do not look as if it did.
function refused(kind) {
  page.local[kind]?.stop();
  page.local[kind] = null;
  page.want[kind] = false;
  render();
}

function ended() {
  const { text, again } = page.session.ending;
  if (again && page.wanted && page.retry < RETRIES.length) {
    const wait = RETRIES[page.retry++];
    setState("reconnecting");
    notice(`${text} Trying again…`);
    setTimeout(() => {
      if (!page.wanted) return;
      connect().then(() => notice("")).catch((error) => {
        if (!page.wanted) return;
        page.session.ending = { text: error.message, again: true };
        ended();
      });
    }, wait);
    return;
  }
  goodbye(text);
}

function goodbye(text) {
  page.wanted = false;
  page.retry = 0;
  stopDevices();
  clearTiles();
  notice("");
  show("lobby");
  showError(text);
}

// ------------------------------------------------------------------ tiles

function render() {
  const session = page.session;
  if (!session) return;
  $("room-name").textContent = session.roomName || page.room;
  document.title = `${session.roomName || page.room} · sfu`;
  const people = [...session.participants.values()];
  $("count").textContent = `${people.length + 1} here`;
  setState(session.state);
  button("mic", page.want.audio);
  button("cam", page.want.video);

  const received = session.received();
  const present = new Set(["\0me"]);
  const own = [page.want.video && page.local.video].filter(Boolean);
  drawTile("\0me", page.name, own, { muted: !page.want.audio, self: true });
  for (const info of people) {
    present.add(info.identity);
    const tracks = info.tracks ?? [];
    const media = tracks.filter((track) => !track.muted || track.type !== "VIDEO").map((track) => received[track.sid]);
    const microphone = tracks.find((track) => track.type !== "VIDEO");
    drawTile(info.identity, info.name || info.identity, media.filter(Boolean), {
      muted: !microphone || Boolean(microphone.muted),
      self: false,
    });
  }
  for (const [identity, tile] of page.tiles) {
    if (!present.has(identity)) {
      tile.querySelector("video").srcObject = null;
      tile.remove();
      page.tiles.delete(identity);
    }
  }
  $("tiles").dataset.count = String(Math.min(page.tiles.size, 10));
}

function drawTile(identity, name, tracks, { muted, self }) {
  let tile = page.tiles.get(identity);
  if (!tile) {
    tile = $("tile").content.firstElementChild.cloneNode(true);
    tile.dataset.identity = self ? "" : identity;
    tile.classList.toggle("self", self);
    tile.querySelector("video").muted = self;
    tile.style.setProperty("--hue", String(hue(name)));
    page.tiles.set(identity, tile);
    $("tiles").append(tile);
  }
  tile.querySelector(".who").textContent = self ? `${name} (you)` : name;
  tile.querySelector(".avatar").textContent = initials(name);
  tile.querySelector(".muted").toggleAttribute("hidden", !muted);
  tile.classList.toggle("pictured", tracks.some((track) => track.kind === "video"));
  const video = tile.querySelector("video");
  const now = video.srcObject?.getTracks() ?? [];
  if (now.length !== tracks.length || tracks.some((track) => !now.includes(track))) {
    video.srcObject = tracks.length ? new MediaStream(tracks) : null;
    if (tracks.length) video.play().catch((error) => error.name === "NotAllowedError" && silenced());
  }
}

// Browsers play sound only after a gesture, unless the page uses the microphone.
function silenced() {
  page.silent = true;
  notice("Tap anywhere to hear the others.", true);
}

function clearTiles() {
  for (const tile of page.tiles.values()) {
    tile.querySelector("video").srcObject = null;
    tile.remove();
  }
  page.tiles.clear();
  page.rates.clear();
}

function hue(name) {
  let sum = 7;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return sum;
}

function initials(name) {
  return name.split(/\s+/).slice(0, 2).map((part) => [...part][0] ?? "").join("").toUpperCase();
}

// Once a second: bitrates, and who is speaking.
setInterval(async () => {
  const session = page.session;
  if (!session || session.state === "closed") return;
  const stats = await session.stats();
  const totals = new Map();
  const speaking = new Set();
  for (const track of [...stats.received, ...stats.sent]) {
    const who = track.owner ?? "\0me";
    const bytes = track.bytesReceived ?? track.bytesSent ?? 0;
    const key = `${track.sid}${track.rid ?? ""}`;
    const before = page.rates.get(key);
    const bps = before ? Math.max(0, ((bytes - before.bytes) * 8000) / Math.max(1, track.timestamp - before.at)) : 0;
    page.rates.set(key, { bytes, at: track.timestamp });
    totals.set(who, (totals.get(who) ?? 0) + bps);
    if (track.kind === "audio" && track.audioLevel > 0.02) speaking.add(who);
  }
  for (const [identity, tile] of page.tiles) {
    tile.querySelector(".rate").textContent = format(totals.get(identity) ?? 0);
    tile.classList.toggle("speaking", speaking.has(identity));
  }
}, 1000);

function format(bps) {
  if (bps < 1000) return "";
  return bps < 1e6 ? `${Math.round(bps / 1000)} kbit/s` : `${(bps / 1e6).toFixed(1)} Mbit/s`;
}

// ------------------------------------------------------------------ chat

function addMessage(line) {
  const own = line.identity === page.session.me?.identity;
  const name = own ? "You" : page.session.participants.get(line.identity)?.name || line.identity || "somebody";
  page.messages.push({ ...line, name });
  const item = document.createElement("li");
  item.classList.toggle("own", own);
  const head = document.createElement("b");
  head.textContent = name;
  const time = document.createElement("time");
  time.textContent = new Date(line.timestamp).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const text = document.createElement("p");
  text.textContent = line.message;
  item.append(head, time, text);
  $("messages").append(item);
  item.scrollIntoView({ block: "end" });
  if (!own && !panelVisible()) setUnread(page.unread + 1);
}

function say(message) {
  const line = page.session?.chat(message);
  if (line) addMessage(line);
  else notice("The chat opens as soon as you are connected.");
  return Boolean(line);
}

function panelVisible() {
  return getComputedStyle($("panel")).visibility !== "hidden" && $("panel").offsetParent !== null;
}

function setUnread(count) {
  page.unread = count;
  $("unread").textContent = count > 9 ? "9+" : String(count);
  $("unread").hidden = count === 0;
}

// ------------------------------------------------------------------ small things

function show(which) {
  $("lobby").hidden = which !== "lobby";
  $("stage").hidden = which !== "stage";
}

function showError(text) {
  $("lobby-error").textContent = text;
  $("lobby-error").hidden = !text;
}

let noticeTimer = 0;
function notice(text, sticky = false) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
  clearTimeout(noticeTimer);
  if (text && !sticky) noticeTimer = setTimeout(() => notice(""), 8000);
}

function setState(state) {
  $("state").dataset.state = state;
  $("state").textContent = state;
  $("alone").hidden = state !== "connected" || page.session.participants.size > 0;
}

function button(which, on) {
  const element = $(`${which}-button`);
  element.setAttribute("aria-pressed", String(on));
  element.querySelector("use").setAttribute("href", on ? `#${which}` : `#${which}-off`);
}

async function toggle(kind) {
  const on = !page.want[kind];
  if (on && !page.local[kind]) {
    if (!navigator.mediaDevices) {
      notice(NOT_SECURE);
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: kind === "video" ? wishes()[0].video || true : true });
      page.local[kind] = stream.getTracks()[0];
      await page.session.replace(kind, page.local[kind]);
    } catch (error) {
      notice(explainDevice(error));
      return;
    }
  }
  page.want[kind] = on;
  await page.session.setMuted(kind, !on);
  if (!on && kind === "video") {
    page.local.video?.stop(); // the camera's light goes out
    page.local.video = null;
    await page.session.replace("video", null);
  }
  render();
}

$("join").addEventListener("submit", (event) => {
  event.preventDefault();
  enter($("name").value.trim(), $("room").value.trim());
});
$("compose").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (text && say(text)) $("text").value = "";
});
$("mic-button").addEventListener("click", () => toggle("audio"));
$("cam-button").addEventListener("click", () => toggle("video"));
$("leave-button").addEventListener("click", () => leave());
for (const id of ["chat-button", "panel-close"]) {
  $(id).addEventListener("click", () => {
    $("stage").classList.toggle("chatting");
    setUnread(0);
  });
}
addEventListener("click", () => {
  if (!page.silent) return;
  page.silent = false;
  notice("");
  for (const tile of page.tiles.values()) tile.querySelector("video").play().catch(() => {});
});
addEventListener("pagehide", () => page.session?.leave());

function leave() {
  page.wanted = false;
  page.session?.leave();
  goodbye(""); // also when there was no session to end: between two attempts to come back
}

// For tests and for the curious: everything that the page knows.
window.sfu = {
  get pc() { return page.session?.pc ?? null; },
  get session() { return page.session; },
  get room() {
    const session = page.session;
    return {
      name: session?.roomName ?? "",
      state: session?.state ?? "new",
      me: session?.me ?? null,
      participants: [...(session?.participants.values() ?? [])],
      ending: session?.ending ?? null,
    };
  },
  get messages() { return page.messages; },
  stats: async () => (page.session ? page.session.stats() : { connection: "new", received: [], sent: [] }),
  chat: (text) => say(text),
  toggle,
  leave,
  join: enter,
};

$("name").value = params.get("name") ?? localStorage.getItem("sfu-name") ?? "";
$("room").value = params.get("room") ?? "demo";
if (params.has("novideo")) $("with-cam").checked = false;
if (params.has("noaudio")) $("with-mic").checked = false;
$("name").addEventListener("change", () => localStorage.setItem("sfu-name", $("name").value));
if (params.get("room") && params.get("name") && !params.has("wait")) enter(params.get("name").trim(), params.get("room").trim());
else $("name").focus();
