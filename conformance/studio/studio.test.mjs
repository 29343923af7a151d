// The studio in a browser, against a real server (HANDSCROLL_URL or HANDSCROLL_BIN)
// or the fake one. STUDIO_SHOTS names a folder for screenshots.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { basics, contrast, shifts, watchShifts } from "./basics.mjs";
import { drop, fake, launch, target } from "./browser.mjs";
import { make } from "./materials.mjs";

const patience = Number(process.env.STUDIO_PATIENCE) || 300000; // ms; machines that run tests are busy
const shots = process.env.STUDIO_SHOTS || "";
const answerOf = { Lisbon: "7421938", Oslo: "5938174" };

let server, browser, files;
before(async () => {
  files = make(mkdtempSync(join(tmpdir(), "studio-")));
  if (shots) mkdirSync(shots, { recursive: true });
  [server, browser] = await Promise.all([target(), launch()]);
}, { timeout: patience });
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page of its own, that fails the test on anything that a user would not want. */
async function visit(t, { url = server.url, path = "/", allow = /$^/, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const wrong = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && !allow.test(m.text()) && wrong.push(`console: ${m.text()}`));
  page.on("pageerror", (e) => wrong.push(`error: ${e.stack}`));
  page.on("request", (r) => {
    const u = new URL(r.url());
    if (!/^(blob|data|chrome|chrome-extension):$/.test(u.protocol) && u.origin !== url) wrong.push(`asks another server: ${u}`);
  });
  await watchShifts(page);
  t.after(async () => {
    await context.close();
    assert.deepEqual(wrong, []);
  });
  await page.goto(url + path);
  await page.waitForSelector("h1");
  return page;
}

const shoot = async (page, name) => shots && page.screenshot({ path: join(shots, `${name}.png`) });
const allRead = (page) => page.waitForFunction(() => document.querySelector(".strip-note")?.textContent.startsWith("All read"));

/** Asks, and returns the text of the answer. */
async function ask(page, question) {
  const n = await page.locator(".answer").count();
  await page.fill("#question", question);
  await page.keyboard.press("Enter");
  const answer = page.locator(".answer").nth(n);
  await answer.locator(".footnote, .error").first().waitFor();
  return answer;
}

test("files are dropped, read and asked; evidence opens; nothing is lost on reload", { timeout: 4 * patience }, async (t) => {
  const page = await visit(t);
  await shoot(page, "empty-light");
  await drop(page, [files.folder, files.paper, files.sound, files.film]);
  await page.locator(".block").nth(4).waitFor();
  await allRead(page);
  assert.equal(await page.locator(".block").count(), 5, "parts on the strip");
  assert.match(await page.locator(".notice").innerText(), /notes\/\.git \(a tool’s own\), notes\/empty\.txt \(empty\)/);
  const widths = await page.locator(".fill").evaluateAll((all) => all.map((x) => x.style.width));
  assert.deepEqual(widths, Array(5).fill("100%"), "all blocks are filled");

  const lisbon = await ask(page, "What is the special magic Lisbon number?");
  assert.match(await lisbon.innerText(), new RegExp(answerOf.Lisbon));
  const chip = lisbon.locator(".chip", { hasText: "harbour.txt, line 161" }).first();
  await chip.hover();
  await page.locator(".pin[data-active] .seal").waitFor();
  await chip.click();
  assert.match(await page.locator(".passage mark").first().innerText(), /Lisbon number is/);
  assert.equal(await page.locator(".passage li[data-hit] .no").first().innerText(), "161");
  assert.equal(await page.evaluate(() => document.activeElement.id), "viewer-title", "the panel is read first");
  // The seal stands over the harbour's block, about where the line is.
  const [pin, block] = [await page.locator(".pin[data-active] .seal").boundingBox(), await page.locator(".block", { hasText: "harbour.txt" }).boundingBox()];
  assert.ok(Math.abs((pin.x + pin.width / 2 - block.x) / block.width - 0.64) < 0.05, `the seal is at ${pin.x} over a block from ${block.x}, ${block.width} wide`);
  await shoot(page, "passage-light");
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "passage-dark");
  await page.emulateMedia({ colorScheme: "light" });
  await page.keyboard.press("Escape");
  assert.equal(await chip.evaluate((el) => el === document.activeElement), true, "the keyboard is back on the chip");

  const oslo = await ask(page, "What is the special magic Oslo number?");
  assert.match(await oslo.innerText(), new RegExp(answerOf.Oslo));
  await oslo.locator(".chip", { hasText: "paper.pdf, page 2" }).first().click();
  assert.match(await page.locator(".quote").innerText(), /Oslo number is/);
  if (await page.evaluate(() => navigator.pdfViewerEnabled)) assert.match(await page.locator("iframe.page").getAttribute("src"), /^blob:.*#page=2/);
  await page.getByRole("button", { name: "Close" }).click();

  const sound = await ask(page, "What is the secret keyword?");
  await sound.locator(".chip", { hasText: "talk.flac at" }).first().click();
  const at = (await page.locator(".viewer h2").innerText()).match(/(\d+):(\d+)$/);
  const seconds = Number(at[1]) * 60 + Number(at[2]);
  await page.waitForFunction((s) => document.querySelector("audio")?.currentTime >= s, seconds);
  await page.getByRole("button", { name: "Close" }).click();

  // The film itself, from its block: what a model sees in it is not this test's.
  await page.locator(".block-body").nth(4).click();
  await page.waitForFunction(() => document.querySelector("video")?.readyState >= 1 && document.querySelector("video").videoWidth === 320);
  await page.getByRole("button", { name: "Close" }).click();

  const address = page.url();
  const before = await page.locator(".messages").innerText();
  await page.reload();
  await page.locator(".answer").nth(2).waitFor();
  assert.equal(page.url(), address);
  assert.equal(await page.locator(".messages").innerText(), before, "the conversation is as it was");
  assert.equal(await page.locator(".block").count(), 5);
  // The dropped files are gone from memory now: evidence comes from the server.
  await page.locator(".chip", { hasText: "harbour.txt, line 161" }).first().click();
  assert.match(await page.locator(".passage mark").first().innerText(), /Lisbon number is/);
  await page.keyboard.press("Escape");
  await page.locator(".chip", { hasText: "talk.flac at" }).first().click();
  await page.waitForFunction((s) => document.querySelector("audio")?.currentTime >= s, seconds);
  await page.keyboard.press("Escape");
  const again = await ask(page, "What is the special magic Oslo number?");
  assert.match(await again.innerText(), new RegExp(answerOf.Oslo));
  const [tokens, limit] = (await page.locator(".tokens").innerText()).match(/[\d,]{3,}/g).map((n) => Number(n.replaceAll(",", "")));
  const sum = (await page.locator(".legend b").allInnerTexts()).reduce((n, s) => n + Number(s.replaceAll(",", "")), 0);
  assert.ok(tokens >= sum * 0.99 && tokens < sum + 200 && tokens < limit, `${tokens} tokens counted, ${sum} on the strip`);
  assert.ok((await shifts(page)) < 0.05, `layout shifts ${await shifts(page)}`);

  // Another browser, as it were: the context is stored on the server.
  const other = await visit(t, { path: "/#/contexts" });
  await other.locator(".row h3 a", { hasText: "notes and 3 more" }).first().click();
  await other.locator(".block").nth(4).waitFor();
  const found = await ask(other, "What is the special magic Lisbon number?");
  assert.match(await found.innerText(), new RegExp(answerOf.Lisbon));
  await found.locator(".chip", { hasText: "harbour.txt" }).first().click();
  assert.match(await other.locator(".passage mark").first().innerText(), /Lisbon number is/);

  // On a phone, with what this browser remembers.
  await page.setViewportSize({ width: 390, height: 844 });
  await page.evaluate(() => scrollTo(0, 0));
  await shoot(page, "phone-light");
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, "nothing is wider than a phone");
  assert.deepEqual(await basics(page), []);
  assert.deepEqual(await contrast(page), []);
  await page.emulateMedia({ colorScheme: "dark" });
  await shoot(page, "phone-dark");
  assert.deepEqual(await contrast(page), []);
});

test("contexts are kept longer and deleted", { timeout: 2 * patience }, async (t) => {
  const page = await visit(t, { allow: /404/ }); // of the context that is deleted
  const dir = mkdtempSync(join(tmpdir(), "studio-"));
  writeFileSync(join(dir, "short.txt"), "The special magic Quito number is: 1112223. It rained all day in the valley.");
  await page.setInputFiles("#files", join(dir, "short.txt"));
  await allRead(page);
  await page.getByRole("link", { name: "Contexts" }).click();
  const row = page.locator(".row", { hasText: "short.txt" }).filter({ has: page.locator("select") });
  assert.match(await row.innerText(), /7 days left/);
  await row.locator("select").selectOption("2592000");
  await row.getByText("30 days left").waitFor();
  await shoot(page, "contexts-light");
  assert.deepEqual(await basics(page), []);
  await row.getByRole("button", { name: "Delete short.txt" }).click();
  await row.getByRole("button", { name: "Delete", exact: true }).click();
  await row.waitFor({ state: "detached" });
  // Its scroll says so, and reads it again when asked to.
  await page.getByRole("link", { name: "Read", exact: true }).click();
  await page.getByText("no longer has this context").waitFor();
  await page.getByRole("button", { name: "Read again" }).click();
  await allRead(page);
  const answer = await ask(page, "What is the special magic Quito number?");
  assert.match(await answer.innerText(), /1112223/);
});

test("a needle map is painted", { timeout: 4 * patience }, async (t) => {
  const page = await visit(t, { path: "/#/needle" });
  await page.getByLabel("Depths").selectOption("3");
  await page.getByLabel("16k").uncheck();
  await page.getByRole("button", { name: "Start" }).click();
  await page.locator('.map td[data-state="found"]').first().waitFor();
  await page.getByRole("button", { name: "Start" }).waitFor();
  assert.match(await page.locator(".score").innerText(), /^\d of 6 found/);
  const found = await page.locator('.map td[data-state="found"]').count();
  assert.ok(found >= 5, `${found} of 6 found`);
  await shoot(page, "needle-light");
  assert.deepEqual(await basics(page), []);
  // It is there after a reload, and other lengths of it can be stopped.
  await page.reload();
  await page.locator('.map td[data-state="found"]').nth(found - 1).waitFor();
  await page.getByLabel("64k").check();
  await page.getByRole("button", { name: "Start" }).click();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByText("not asked", { exact: false }).first().waitFor();
  await page.getByRole("button", { name: "Start" }).waitFor();
  await page.setViewportSize({ width: 390, height: 844 });
  if (shots) await page.screenshot({ path: join(shots, "needle-phone.png"), fullPage: true });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390);
});

test("the machine page has numbers", { timeout: patience }, async (t) => {
  const page = await visit(t, { path: "/#/machine" });
  await page.locator(".readiness[data-ready]").waitFor();
  await page.locator(".figure").nth(6).waitFor();
  await page.locator(".row h3").first().waitFor();
  const text = await page.locator(".figures").innerText();
  assert.doesNotMatch(text, /NaN|undefined/);
  assert.deepEqual(await basics(page), []);
  assert.deepEqual(await contrast(page), []);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual(await contrast(page), []);
  await shoot(page, "machine-dark");
});

test("the page is small, still, and loads nothing from elsewhere", { timeout: patience }, async (t) => {
  const page = await visit(t);
  await page.waitForLoadState("networkidle");
  const weight = await page.evaluate(() => performance.getEntriesByType("resource").concat(performance.getEntriesByType("navigation")).filter((e) => e.name.startsWith("http") && !/v1beta/.test(e.name)).reduce((n, e) => n + e.encodedBodySize, 0));
  t.diagnostic(`page weight ${weight} bytes`);
  assert.ok(weight > 50_000 && weight < 300_000, `the page weighs ${weight} bytes`);
  const shifted = await shifts(page);
  t.diagnostic(`layout shift at first paint ${shifted}`);
  assert.ok(shifted < 0.01, `first paint shifts by ${shifted}`);
  const res = await page.request.get(server.url);
  const csp = res.headers()["content-security-policy"];
  assert.match(csp, /default-src 'none'/);
  assert.match(csp, /connect-src 'self'/);
  assert.doesNotMatch(csp, /unsafe/);
  const cached = await page.request.get(server.url, { headers: { "If-None-Match": res.headers().etag } });
  assert.equal(cached.status(), 304);
  const script = await page.locator("script[type=module]").getAttribute("src");
  assert.match((await page.request.get(server.url + script)).headers()["cache-control"], /immutable/);
  assert.deepEqual(await basics(page), []);
  assert.deepEqual(await contrast(page), []);
});

test("what is written into the page does not run", { timeout: patience }, async (t) => {
  const page = await visit(t, { allow: /Content Security Policy|Refused|404/ });
  const ran = await page.evaluate(async () => {
    const img = document.createElement("img");
    img.setAttribute("onerror", "window.ran = true");
    const failed = new Promise((resolve) => img.addEventListener("error", resolve));
    img.src = "/studio/none.png";
    document.body.append(img);
    const script = document.createElement("script");
    script.textContent = "window.ran = true";
    document.body.append(script);
    await failed;
    return window.ran === true;
  });
  assert.equal(ran, false);
});

test("the checks find what is planted", { timeout: patience }, async (t) => {
  const page = await visit(t);
  await page.evaluate(() => {
    const plant = (name, text, color) => {
      const el = document.querySelector("main").appendChild(document.createElement(name));
      el.textContent = text;
      el.style.color = color;
    };
    plant("button", "", "");
    plant("h4", "Skipped", "");
    plant("p", "Faint", "#ddd5c5");
  });
  const wrong = await basics(page);
  assert.ok(wrong.some((w) => w.startsWith("no name: <button")), `${wrong}`);
  assert.ok(wrong.some((w) => w.startsWith("h4 after h2")), `${wrong}`);
  const faint = await contrast(page);
  assert.equal(faint.length, 1);
  assert.match(faint[0], /“Faint”/);
});

test("the keyboard is enough", { timeout: 2 * patience }, async (t) => {
  const page = await visit(t);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  const dir = mkdtempSync(join(tmpdir(), "studio-"));
  for (const name of ["a.txt", "b.md", "c.txt"]) writeFileSync(join(dir, name), `This is ${name}. `.repeat(40));
  const chosen = page.waitForEvent("filechooser");
  while (!(await page.evaluate(() => document.activeElement.textContent === "Choose files"))) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await (await chosen).setFiles(["a.txt", "b.md", "c.txt"].map((n) => join(dir, n)));
  await allRead(page);
  await page.locator(".block-body").first().focus();
  await page.keyboard.press("ArrowRight");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^b\.md: text, .*tokens?.*, read$/);
  await page.keyboard.press("End");
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".viewer h2").innerText(), "c.txt");
  await page.keyboard.press("Escape");
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^c\.txt/);
  // The theme stays after a reload.
  await page.getByRole("button", { name: /^Colours/ }).click();
  await page.getByRole("button", { name: /^Colours/ }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.reload();
  await page.waitForSelector("h1");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  assert.deepEqual(await contrast(page), []);
});

// What real servers rarely do.

test("a key is asked for, and used", { timeout: 2 * patience }, async (t) => {
  const locked = await fake(["--key", "sesame"]);
  t.after(locked.stop);
  const page = await visit(t, { url: locked.url, allow: /401/ });
  await page.locator("dialog[open]").waitFor();
  assert.deepEqual(await basics(page), []);
  await page.getByLabel("API key").fill("sesame");
  await page.getByRole("button", { name: "Use this key" }).click();
  await page.locator("dialog").waitFor({ state: "hidden" });
  await page.setInputFiles("#files", [files.paper, files.film]);
  await allRead(page);
  assert.equal(await page.evaluate(() => JSON.stringify(localStorage).includes("sesame")), false, "keys are not kept");
  await page.reload();
  await page.locator('.block-body[aria-label^="film.webm"]').click();
  await page.waitForFunction(() => document.querySelector("video")?.readyState >= 1);
});

test("reading and answering are stopped, and gone on with", { timeout: 2 * patience }, async (t) => {
  const slow = await fake(["--rate", "300"]);
  t.after(slow.stop);
  const page = await visit(t, { url: slow.url });
  await page.setInputFiles("#files", files.paper);
  // A question may be asked before the file is read; it waits.
  await page.fill("#question", "What is the special magic Oslo number?");
  await page.keyboard.press("Enter");
  await page.getByText("Asked as soon as the files are read").waitFor();
  await page.waitForFunction(() => parseFloat(document.querySelector(".fill")?.style.width) > 5);
  await shoot(page, "reading-light");
  await page.getByRole("button", { name: "Stop reading" }).click();
  await page.getByText("Stopped before it was whole").waitFor();
  // Reloading in the middle of reading goes on with it.
  await page.getByRole("button", { name: "Read", exact: true }).click();
  await page.waitForFunction(() => parseFloat(document.querySelector(".fill")?.style.width) > 5);
  await page.reload();
  await allRead(page);
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.locator(".chip").first().waitFor();
  await page.fill("#question", "Which path is beside the chapel that morning?");
  await page.keyboard.press("Enter");
  await page.locator(".answer").nth(1).locator(".prose").waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByText("Stopped before it was whole").waitFor();
});

test("errors are said where they happen", { timeout: 2 * patience }, async (t) => {
  const s = await fake();
  t.after(s.stop);
  const page = await visit(t, { url: s.url, allow: /429|ERR_CONNECTION|Failed to load/ });
  const dir = mkdtempSync(join(tmpdir(), "studio-"));
  writeFileSync(join(dir, "bad.bin"), "broken\0");
  writeFileSync(join(dir, "good.txt"), "The special magic Quito number is: 1112223.");
  // A busy server is asked again, with no word of it.
  await page.request.post(`${s.url}/fake/busy?n=2`);
  await page.setInputFiles("#files", [join(dir, "bad.bin"), join(dir, "good.txt")]);
  await page.getByText("It is neither text nor a format that is known here.").waitFor();
  await page.getByRole("button", { name: "Take it out" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".block").length === 1);
  await allRead(page);
  await page.request.post(`${s.url}/fake/busy?n=99`);
  let answer = await ask(page, "What is the special magic Quito number?");
  assert.match(await answer.innerText(), /The server is busy\. The queue is full\. Try again in 1 second\./);
  await page.request.post(`${s.url}/fake/busy?n=0`);
  await page.getByRole("button", { name: "Ask again" }).click();
  await page.locator(".chip").first().waitFor();
  await s.stop();
  answer = await ask(page, "And now?");
  assert.match(await answer.innerText(), /The server cannot be reached/);
});

test("an upload that was interrupted goes on", { timeout: 2 * patience }, async (t) => {
  const s = await fake(["--rate", "1e8"]);
  t.after(s.stop);
  const page = await visit(t, { url: s.url, allow: /Failed to load|ERR_FAILED/ });
  const dir = mkdtempSync(join(tmpdir(), "studio-"));
  const big = join(dir, "big.txt");
  writeFileSync(big, "The special magic Quito number is: 1112223.\n".repeat(450000)); // three chunks
  const offsets = [];
  const held = [];
  await page.route(/upload_id=/, async (route) => {
    const h = route.request().headers();
    if (h["x-goog-upload-command"]?.startsWith("upload")) offsets.push(Number(h["x-goog-upload-offset"]));
    if (offsets.length === 2) held.push(route); // it hangs, and the page is reloaded
    else await route.continue();
  });
  await page.setInputFiles("#files", big);
  while (held.length === 0) await page.waitForTimeout(20);
  await page.reload();
  await page.getByText("Its upload was interrupted").waitFor();
  await held[0].abort().catch(() => {}); // its page is gone
  await page.unroute(/upload_id=/);
  const resumed = page.waitForRequest((r) => r.headers()["x-goog-upload-command"]?.startsWith("upload"));
  await page.setInputFiles("#files", big);
  assert.equal((await resumed).headers()["x-goog-upload-offset"], String(8 << 20), "it goes on where it stopped");
  await allRead(page);
  assert.equal(await page.locator(".block").count(), 1);
});
