// What every room is doing, looked at once a second: who is there, which tracks flow to whom, and how well.

const PERIOD = 1000;
const POINTS = 60;

const seen = new Map(); // what was counted at the last look, by track and subscriber
const rates = new Map(); // track sid -> its last bitrates

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const bitrate = (bps) => bps >= 1e6 ? `${(bps / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bps / 1e3)} kbit/s`;

function sparkline(values) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", `0 0 ${POINTS - 1} 20`);
  svg.setAttribute("preserveAspectRatio", "none");
  const top = Math.max(...values, 1);
  const start = POINTS - values.length;
  const line = document.createElementNS(space, "polyline");
  line.setAttribute("points", values.map((value, at) => `${start + at},${(19 - 18 * value / top).toFixed(1)}`).join(" "));
  svg.append(line);
  return svg;
}

function quality(score) {
  if (score === null) return element("span", {class: "quality", "data-level": "unknown", title: "not measured yet"}, "–");
  const level = score > 80 ? "excellent" : score > 40 ? "good" : score > 20 ? "poor" : "lost";
  return element("span", {class: "quality", "data-level": level, title: `${level}: ${score} of 100`}, String(score));
}

function drops(counts) {
  const reasons = Object.entries(counts);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  const title = reasons.map(([why, count]) => `${why}: ${count}`).join(", ");
  return total ? [element("span", {class: "drops", title}, `${total} dropped`)] : [];
}

// How often something was counted each second since the last look.
function pace(key, count, now) {
  const [before, at] = seen.get(key) ?? [count, now - PERIOD];
  seen.set(key, [count, now]);
  return Math.max(0, Math.round((count - before) * 1000 / (now - at)));
}

function layerOf(track, subscriber) {
  const parts = [subscriber.layer, subscriber.spatial_layer ? `S${subscriber.spatial_layer}` : ""].filter(Boolean);
  return track.kind === "video" && parts.length ? ` · ${parts.join(" ")}` : "";
}

function receivers(room, sid, track, names, now) {
  const list = element("ul", {class: "receivers"});
  for (const [who, each] of Object.entries(track.subscribers)) {
    const speed = each.paused ? "paused" : `${pace(`${sid} ${who}`, each.packets, now)}/s${layerOf(track, each)}`;
    list.append(element("li", {}, element("b", {}, names.get(who) ?? who), ` ${speed} `, quality(each.quality), ...drops(each.drops)));
  }
  return list.childElementCount ? list : element("span", {class: "soft"}, "nobody");
}

function trackRow(room, sid, track, names, now) {
  const values = rates.get(sid) ?? [];
  values.push(track.bitrate_bps);
  rates.set(sid, values.slice(-POINTS));
  const what = [track.source || track.kind, track.codec.split("/")[1], track.layer].filter(Boolean).join(" · ");
  return element("tr", {"data-track": sid},
    element("td", {}, element("b", {}, track.publisher), element("span", {class: "soft"}, ` ${what}${track.muted ? " · muted" : ""}`)),
    element("td", {class: "rate"}, sparkline(rates.get(sid)), bitrate(track.bitrate_bps)),
    element("td", {}, quality(track.quality)),
    element("td", {}, receivers(room, sid, track, names, now)));
}

function person(each) {
  const connected = each.transport?.connection === "connected" && each.signalling === "there";
  const takes = each.path.takes_bps === null ? "" : `path takes ${bitrate(each.path.takes_bps)}`;
  const path = each.path.congestion === "none" ? "" : each.path.congestion.replace("-", " ");
  const details = [each.state.toLowerCase(), each.signalling === "there" ? "" : "signalling lost", each.transport?.publishes_on ? "two connections" : "", path, takes];
  return element("li", {class: "pill state", "data-state": connected ? "connected" : "interrupted", title: each.sid},
    element("b", {}, each.name || each.identity), ` ${details.filter(Boolean).join(" · ")}`);
}

function card(room, now) {
  const names = new Map(room.participants.map((each) => [each.sid, each.name || each.identity]));
  const rows = Object.entries(room.tracks).map(([sid, track]) => trackRow(room, sid, track, names, now));
  const head = element("tr", {}, ...["Track", "Bitrate", "Arrives", "Goes to"].map((text) => element("th", {scope: "col"}, text)));
  const data = [`${room.data.messages} messages`, `${room.data_tracks.packets} packets of data tracks`].join(" · ");
  const tracks = rows.length ? element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)) : element("p", {class: "soft"}, "Nobody publishes anything.");
  return element("section", {class: "room", "data-room": room.name},
    element("header", {}, element("h2", {}, room.name), element("span", {class: "pill"}, `${room.num_participants} here`), element("span", {class: "soft"}, data)),
    element("ul", {class: "people"}, ...room.participants.map(person)), tracks);
}

async function look() {
  const state = document.getElementById("state");
  try {
    const answer = await fetch("/debug/rooms", {cache: "no-store"});
    if (!answer.ok) throw new Error(String(answer.status));
    const {version, rooms, media} = await answer.json();
    const now = performance.now();
    document.getElementById("server").textContent = `sfu ${version} · ${media.sessions} transports on ${media.addresses.join(", ")}`;
    document.getElementById("none").hidden = rooms.length > 0;
    document.getElementById("rooms").replaceChildren(...rooms.map((room) => card(room, now)));
    const live = new Set(rooms.flatMap((room) => Object.keys(room.tracks)));
    for (const table of [seen, rates]) for (const key of table.keys()) if (!live.has(key.split(" ")[0])) table.delete(key);
    state.dataset.state = "connected";
    state.textContent = "live";
  } catch {
    state.dataset.state = "interrupted";
    state.textContent = "the server does not answer";
  }
  setTimeout(look, PERIOD);
}

look();
