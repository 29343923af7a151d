// Debian's chromium, and a server to look at.

import { spawn } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = fileURLToPath(new URL("../../", import.meta.url));

// Without these the browser looks for its maker's hosts.
const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launch = () =>
  chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", headless: true, chromiumSandbox: false, args: flags });

/** Starts a program that prints its address, and waits until it has. */
function start(command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  const url = new Promise((resolve, reject) => {
    const look = (b) => {
      log += b;
      const m = /https?:\/\/[\w.:[\]]+:\d+/.exec(log);
      if (m) resolve(m[0]);
    };
    child.stdout.on("data", look);
    child.stderr.on("data", look);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${command} ended with ${code}:\n${log}`)));
  });
  const stop = () => new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.on("exit", resolve);
    child.kill("SIGTERM");
  });
  return url.then((u) => ({ url: u, stop, log: () => log }));
}

/**
 * The server to test: HANDSCROLL_URL, one started from HANDSCROLL_BIN, or the fake.
 * fake says which it is.
 */
export async function target(args = []) {
  if (process.env.HANDSCROLL_URL && !args.length) return { url: process.env.HANDSCROLL_URL, stop: async () => {}, fake: false };
  if (process.env.HANDSCROLL_BIN && !args.length) {
    const data = mkdtempSync(join(tmpdir(), "handscroll-"));
    return { ...(await start(process.env.HANDSCROLL_BIN, ["serve", "--addr", "127.0.0.1:0", "--data", data])), fake: false };
  }
  return { ...(await fake(args)), fake: true };
}

/** The fake server, whatever is tested. It is built first, so that stopping it stops it. */
export async function fake(args = []) {
  const bin = join(mkdtempSync(join(tmpdir(), "fake-")), "fake");
  await new Promise((resolve, reject) => {
    const go = spawn("go", ["build", "-o", bin, "./conformance/studio/fake"], { cwd: root, stdio: "inherit", env: { ...process.env, CGO_ENABLED: "0" } });
    go.on("error", reject);
    go.on("exit", (code) => (code ? reject(new Error(`go build ended with ${code}`)) : resolve()));
  });
  return start(bin, args, root);
}

/** Drops files and folders on the page, as a file manager would. */
export async function drop(page, files) {
  const cdp = await page.context().newCDPSession(page);
  const box = page.viewportSize();
  const at = { x: Math.round(box.width / 2), y: Math.round(box.height / 2) };
  const data = { items: [], files, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) await cdp.send("Input.dispatchDragEvent", { type, ...at, data });
  await cdp.detach();
}
