// The main tasks of a person, one after the other, in headless Chromium. A step that fails is told; the last line counts.

import { mkdirSync, writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { PASSWORD, SHAPES, browser, command, picture, serve, violations } from "./page.mjs";

const argument = name => { const at = process.argv.indexOf(name); return at < 0 ? undefined : process.argv[at + 1]; };
const pictures = argument("--pictures");
const binary = argument("--allod") ?? process.env.ALLOD_BIN;
if (!binary) { console.error("web: name the binary by ALLOD_BIN"); process.exit(2); }

let failed = 0, passed = 0;
async function step(name, work) {
  try {
    await work();
    passed += 1;
    console.log(`ok    ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${name}: ${error.message.split("\n").slice(0, 4).join(" | ")}`);
  }
}
const demand = (truth, what) => { if (!truth) throw new Error(what); };

/** A small PNG of one colour. */
function png(width, height, rgb) {
  const table = Array.from({ length: 256 }, (_, n) => { for (let k = 0; k < 8; k += 1) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1; return n >>> 0; });
  const crc = bytes => { let c = ~0; for (const b of bytes) c = table[(c ^ b) & 255] ^ (c >>> 8); return ~c >>> 0; };
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const head = Buffer.alloc(4), tail = Buffer.alloc(4);
    head.writeUInt32BE(data.length); tail.writeUInt32BE(crc(body));
    return Buffer.concat([head, body, tail]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0); header.writeUInt32BE(height, 4); header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.from([0]), Buffer.concat(Array(width).fill(Buffer.from(rgb)))]);
  const data = deflateSync(Buffer.concat(Array(height).fill(row)));
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

const server = await serve(binary);
const chromium = await browser();
const context = await chromium.newContext({ ...SHAPES["desktop-light"], locale: "en-GB" });
const page = await context.newPage();
const complaints = [];
page.on("console", message => { if (message.type() === "error") complaints.push(`${page.url()}: ${message.text()}`); });
page.on("pageerror", error => complaints.push(`${page.url()}: ${error.message}`));
page.on("dialog", dialog => dialog.accept());
const go = path => page.goto(server.url + path);
let app;

await step("set up by the printed link", async () => {
  await page.goto(server.link);
  await page.fill("[name=name]", "alice");
  await page.fill("[name=password]", PASSWORD);
  await page.fill("[name=again]", PASSWORD);
  await page.click("button.main");
  await page.waitForURL("**/ui/connect");
});
await step("the link works once", async () => {
  const other = await chromium.newContext();
  const answer = await (await other.newPage()).goto(server.link);
  demand(answer.status() === 422, `status ${answer.status()}`);
  await other.close();
});
await step("sign out and in again, by the keyboard alone", async () => {
  await go("/ui/settings");
  await page.click("form.leave button");
  await page.waitForURL("**/ui/sign-in**");
  await page.keyboard.type("alice");
  await page.keyboard.press("Tab");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/ui/files");
});
await step("a wrong password is refused in plain words", async () => {
  const other = await chromium.newContext();
  const tab = await other.newPage();
  await tab.goto(`${server.url}/ui/sign-in`);
  await tab.fill("[name=name]", "alice");
  await tab.fill("[name=password]", "wrong password");
  await tab.click("button.main");
  await tab.waitForSelector("[role=alert]");
  await other.close();
});
await step("upload 200 files with progress", async () => {
  const folder = join(server.data, "pictures");
  mkdirSync(folder);
  const files = [];
  for (let n = 0; n < 200; n += 1) {
    const file = join(folder, `picture-${String(n).padStart(3, "0")}.png`);
    writeFileSync(file, png(64, 48, [n, 255 - n, (n * 7) % 256]));
    files.push(file);
  }
  await go("/ui/files");
  await page.fill(".newfolder [name=to]", "photos");
  await page.click(".newfolder button");
  await page.waitForSelector("[role=status]");
  await go("/ui/files/photos");
  await page.setInputFiles("#pick", files);
  await page.waitForSelector("#uploads progress");
  await page.waitForSelector("#uploads[data-state=done]", { timeout: 120000 });
  await page.waitForSelector("table.files tbody tr:nth-child(200)");
});
await step("make an app key in three clicks and use it with rclone", async () => {
  await go("/ui/apps/new?which=files");
  await page.fill("[name=label]", "rclone here");
  await page.click("form.card button.main");
  await page.waitForSelector(".value output");
  const value = async label => page.locator(".value", { hasText: label }).first().locator("output").innerText();
  app = { url: await value("Address of the drive"), user: await value("User name"), password: await value("Password") };
  const obscured = command("rclone", ["obscure", app.password]).trim();
  app.rclone = ["--config", "/dev/null", "--webdav-url", app.url, "--webdav-user", app.user, "--webdav-pass", obscured];
  const listed = command("rclone", ["lsf", ...app.rclone, ":webdav:photos"]);
  demand(listed.trim().split("\n").length === 200, `rclone sees ${listed.trim().split("\n").length} files`);
});
await step("the card says that the client really came", async () => {
  await page.waitForSelector(".came", { timeout: 15000 });
  const told = await page.innerText(".came");
  demand(/Connected.*rclone/.test(told), told);
});
await step("a right that was never used is pointed out, and taken by one click", async () => {
  await go("/ui/apps");
  await page.click(".hintbox button");
  await page.waitForSelector(".notice.good");
  let refused = false;
  try { command("rclone", ["touch", ...app.rclone, ":webdav:photos/x"], { stdio: "pipe" }); } catch { refused = true; }
  demand(refused, "the narrowed key still writes");
  demand(command("rclone", ["lsf", ...app.rclone, ":webdav:photos"]).includes("picture-000"), "it still reads");
});
await step("an earlier version comes back", async () => {
  const put = async (text) => {
    const token = await page.getAttribute("body", "data-token");
    const answer = await context.request.put(`${server.url}/ui/upload/notes/letter.txt?replace`, { data: text, headers: { "x-form-token": token, "content-type": "text/plain" } });
    demand(answer.ok(), `upload: ${answer.status()}`);
  };
  await put("first words");
  await put("second words");
  await go("/ui/versions/notes/letter.txt");
  await page.click("ul.lines button");
  await page.waitForSelector("pre");
  demand((await page.innerText("pre")).includes("first words"), "the first words are back");
});
await step("what an app did is undone", async () => {
  await go("/ui/apps/new?which=files");
  await page.fill("[name=label]", "clumsy");
  await page.click("form.card button.main");
  const password = await page.locator(".value", { hasText: "Password" }).first().locator("output").innerText();
  const obscured = command("rclone", ["obscure", password]).trim();
  const flags = ["--config", "/dev/null", "--webdav-url", app.url, "--webdav-user", "alice", "--webdav-pass", obscured];
  command("rclone", ["delete", ...flags, ":webdav:photos", "--include", "picture-01*"]);
  await go("/ui/apps");
  await page.click("article:has-text('clumsy') a:has-text('Undo')");
  demand(await page.locator(".changes li").count() === 10, "ten are listed");
  await page.click("form[method=post] button.main:has-text('Undo this')");
  await page.waitForSelector("text=Done.");
  const listed = command("rclone", ["lsf", ...app.rclone, ":webdav:photos"]);
  demand(listed.trim().split("\n").length === 200, "all are back");
});
await step("revoke while connected: the client is out at once", async () => {
  await go("/ui/apps");
  await page.click("article:has-text('rclone here') button.danger");
  await page.waitForSelector(".notice.good");
  let refused = false;
  try { command("rclone", ["lsf", "--retries", "1", ...app.rclone, ":webdav:photos"], { stdio: "pipe" }); } catch { refused = true; }
  demand(refused, "the revoked key still opens");
});
await step("nothing in the console: no script refused, none failing", async () => {
  const bad = complaints.filter(text => !/status of 4\d\d/.test(text));
  demand(bad.length === 0, bad.slice(0, 3).join("; "));
});

await step("mail, an event and a contact put in by WebDAV are shown", async () => {
  await go("/ui/apps/new?which=all");
  await page.fill("[name=label]", "everything");
  if (await page.locator("[name=password]").isVisible()) await page.fill("[name=password]", PASSWORD);
  await page.click("form.card button.main");
  const password = await page.locator(".value", { hasText: "Password" }).first().locator("output").innerText();
  const headers = { authorization: "Basic " + Buffer.from(`alice:${password}`).toString("base64") };
  const put = async (path, type, text) => {
    const answer = await fetch(`${server.url}/dav/alice${path}`, { method: "PUT", headers: { ...headers, "content-type": type }, body: text });
    demand(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
  };
  const day = new Date(Date.now() + 86400000).toISOString().slice(0, 10).replaceAll("-", "");
  const lines = (...all) => all.join("\r\n") + "\r\n";
  await put("/Calendars/Personal/1.ics", "text/calendar", lines("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//x//EN", "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", `DTSTART:${day}T100000Z`, `DTEND:${day}T113000Z`, "SUMMARY:Choir practice", "LOCATION:Town hall", "RRULE:FREQ=DAILY;INTERVAL=3;COUNT=5", "END:VEVENT", "END:VCALENDAR"));
  for (const [id, name] of [["1", "Ada Lovelace"], ["2", "Grace Hopper"], ["3", "Émilie du Châtelet"]]) {
    await put(`/Contacts/Personal/${id}.vcf`, "text/vcard", lines("BEGIN:VCARD", "VERSION:3.0", `UID:${id}`, `FN:${name}`, `N:${name.split(" ").pop()};${name.split(" ")[0]};;;`, `EMAIL:${id}@example.org`, "TEL:+49 30 123456", "ORG:Analytical Society", "END:VCARD"));
  }
  for (let n = 1; n <= 6; n += 1) {
    await put(`/Mail/INBOX/${n}.eml`, "message/rfc822", lines(`From: "Grace Hopper" <grace@example.org>`, "To: alice@example.org", `Subject: Minutes of meeting ${n}`, `Date: Tue, 24 Nov 2026 1${n}:00:00 +0000`, `Message-ID: <${n}@example.org>`, "MIME-Version: 1.0", "Content-Type: text/html; charset=utf-8", "", `<h1>Minutes ${n}</h1><p>Dear Alice, here is what we talked about.</p><script>document.title="run"</script><img src="https://tracker.invalid/x.gif">`));
  }
  await go("/ui/mail");
  demand(await page.locator(".messages li").count() === 6, "six messages");
  await page.click(".messages a");
  const frame = page.frameLocator("iframe");
  await frame.locator("h1").waitFor();
  demand(!(await frame.locator("body").innerHTML()).includes("tracker"), "no picture from elsewhere");
  await go("/ui/calendar?view=agenda");
  demand(await page.locator(".agenda li").count() === 5, "five times");
  await go("/ui/contacts?q=hopper");
  demand(await page.locator(".contact").count() === 1, "one is found");
});

const PAGES = {
  "files": "/ui/files", "folder": "/ui/files/photos", "file": "/ui/files/photos/picture-001.png", "text": "/ui/files/notes/letter.txt",
  "versions": "/ui/versions/notes/letter.txt", "trash": "/ui/trash", "apps": "/ui/apps", "app-new": "/ui/apps/new", "connect": "/ui/connect",
  "connect-davx5": "/ui/connect/davx5", "connect-restic": "/ui/connect/restic", "activity": "/ui/activity",
  "doors": "/ui/activity?view=doors", "settings": "/ui/settings", "authenticator": "/ui/settings/authenticator",
  "mail": "/ui/mail", "message": "/ui/mail/INBOX?uid=1", "calendar": "/ui/calendar", "agenda": "/ui/calendar?view=agenda",
  "contacts": "/ui/contacts", "space": "/ui/space", "missing": "/ui/files/nothing",
  ...JSON.parse(process.env.ALLOD_WEB_PAGES ?? "{}"),
};
const state = await context.storageState();
for (const [shape, options] of Object.entries(SHAPES)) {
  for (const lang of shape === "desktop-light" ? ["en-GB", "de-DE"] : ["en-GB"]) {
    const signedIn = await chromium.newContext({ ...options, locale: lang, storageState: state });
    const out = await chromium.newContext({ ...options, locale: lang });
    const tabs = [[await signedIn.newPage(), PAGES], [await out.newPage(), { "sign-in": "/ui/sign-in" }]];
    for (const [tab, pages] of tabs) {
      for (const [name, path] of Object.entries(pages)) {
        await step(`axe: ${name}, ${shape}, ${lang}`, async () => {
          await tab.goto(server.url + path);
          await tab.waitForTimeout(60);
          const width = await tab.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          const file = picture(pictures, `${name}-${shape}-${lang.slice(0, 2)}`);
          if (file) await tab.screenshot({ path: file });
          const found = await violations(tab);
          demand(found.length === 0, found.join("; "));
          demand(width <= 0, `the page is ${width} px too wide`);
        });
      }
    }
    await signedIn.close();
    await out.close();
  }
}
await chromium.close();
server.child.kill("SIGTERM");
console.log(`web: ${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
