// Drives real browsers for the end-to-end tests.
//
// One JSON object a line on stdin:  {"id": 1, "op": "launch", ...}
// one JSON object a line on stdout: {"id": 1, "result": ...} or {"id": 1, "error": "..."}, in any order,
// and events without an id:         {"event": "console" | "pageerror" | "disconnected", ...}.
// Requests run concurrently. When stdin ends, every browser is closed and the driver leaves.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import puppeteer from "puppeteer-core";

const CHROMIUM_ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-dev-shm-usage",
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--autoplay-policy=no-user-gesture-required",
  // A page in the background must not be slowed down: every page here is looked at by a test.
  "--disable-background-timer-throttling",
  "--disable-backgrounding-occluded-windows",
  "--disable-renderer-backgrounding",
  "--disable-features=WebRtcHideLocalIpsWithMdns",
];

const FIREFOX_PREFERENCES = {
  "media.navigator.streams.fake": true,
  "media.navigator.permission.disabled": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.peerconnection.ice.loopback": true,
  "media.autoplay.default": 0,
  "app.update.auto": false,
  "datareporting.healthreport.uploadEnabled": false,
  "toolkit.telemetry.enabled": false,
};

const browsers = new Map();
const pages = new Map();
let next = 1;

const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

const operations = {
  // {browser: "chromium" | "firefox", path, args?, preferences?} -> {browser, pid, version}
  async launch({ browser: kind, path, args = [], preferences = {} }) {
    const profile = await mkdtemp(join(tmpdir(), "pystack-e2e-"));
    const common = { executablePath: path, headless: true, userDataDir: profile, timeout: 60_000, protocolTimeout: 120_000 };
    const handle =
      kind === "firefox"
        ? await puppeteer.launch({
            ...common,
            browser: "firefox",
            args,
            extraPrefsFirefox: { ...FIREFOX_PREFERENCES, ...preferences },
          })
        : await puppeteer.launch({ ...common, args: [...CHROMIUM_ARGUMENTS, ...args] });
    const id = next++;
    browsers.set(id, { handle, profile });
    handle.on("disconnected", () => {
      if (browsers.has(id)) say({ event: "disconnected", browser: id });
    });
    return { browser: id, pid: handle.process().pid, version: await handle.version() };
  },

  // {browser, url, preload?} -> {page}; preload: the source of a function that runs before the page's own scripts
  async page({ browser, url, preload }) {
    const page = await browsers.get(browser).handle.newPage();
    if (preload) await page.evaluateOnNewDocument(preload);
    const id = next++;
    pages.set(id, page);
    page.on("console", (line) => say({ event: "console", page: id, type: line.type(), text: line.text() }));
    page.on("pageerror", (error) => say({ event: "pageerror", page: id, text: String(error?.stack ?? error) }));
    if (url) await page.goto(url, { waitUntil: "domcontentloaded", timeout: 60_000 });
    return { page: id };
  },

  // {page, source: "async (argument) => ...", argument} -> whatever it returns, through JSON
  async evaluate({ page, source, argument }) {
    return (await pages.get(page).evaluate(`(${source})(${JSON.stringify(argument ?? null)})`)) ?? null;
  },

  async viewport({ page, width, height, mobile = false }) {
    await pages.get(page).setViewport({ width, height, isMobile: mobile, hasTouch: mobile });
  },

  async screenshot({ page, path }) {
    await pages.get(page).screenshot({ path });
  },

  async close_page({ page }) {
    await pages.get(page)?.close();
    pages.delete(page);
  },

  // SIGKILL to the browser's whole process group: nobody gets to say goodbye.
  async kill({ browser }) {
    const { handle, profile } = browsers.get(browser);
    browsers.delete(browser);
    const child = handle.process();
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      child.kill("SIGKILL");
    }
    await handle.disconnect().catch(() => {});
    await remove(profile);
  },

  async close({ browser }) {
    await closeBrowser(browser);
  },
};

async function remove(profile) {
  await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }).catch(() => {});
}

async function closeBrowser(id) {
  const entry = browsers.get(id);
  if (!entry) return;
  browsers.delete(id);
  const child = entry.handle.process();
  const patience = setTimeout(() => child.kill("SIGKILL"), 10_000);
  await entry.handle.close().catch(() => child.kill("SIGKILL"));
  clearTimeout(patience);
  await remove(entry.profile);
}

const lines = createInterface({ input: process.stdin });
lines.on("line", async (line) => {
  const { id, op, ...rest } = JSON.parse(line);
  try {
    if (!Object.hasOwn(operations, op)) throw new Error(`no operation ${op}`);
    say({ id, result: (await operations[op](rest)) ?? null });
  } catch (error) {
    say({ id, error: String(error?.stack ?? error) });
  }
});
lines.on("close", async () => {
  await Promise.all([...browsers.keys()].map(closeBrowser));
  process.exit(0);
});
