// One walk of a person with an app: let in, sync both ways, disagree, leave. Prints a line of JSON for each thing seen.
import http from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const task = JSON.parse(process.argv[2]);
const require = createRequire(task.modules + "/");
const { chromium } = require("playwright-core");
const host = new URL(task.base).host;
const say = (name, ok, detail = "") => console.log(JSON.stringify({ name, ok: !!ok, detail: String(detail).slice(0, 400) }));

const library = readFileSync(`${task.modules}/${task.release}/release/remotestorage.js`, "utf8");
const bookmarks = readFileSync(`${task.modules}/remotestorage-module-bookmarks/dist/build.js`, "utf8");
const app = `<!doctype html><meta charset="utf-8"><title>App</title>
<script src="/library.js"></script><script>var exports = {}; var module = { exports };</script><script src="/bookmarks.js"></script>
<script>
const described = (module.exports.default || module.exports.Bookmarks || module.exports);
window.rs = new RemoteStorage({ modules: [described], cache: true, logging: false, changeEvents: { local: true, window: true, remote: true, conflict: true } });
rs.access.claim("notes", "rw"); rs.access.claim("bookmarks", "rw");
rs.caching.enable("/notes/"); rs.caching.enable("/bookmarks/");
window.seen = []; window.errors = [];
rs.on("connected", () => seen.push("connected")); rs.on("disconnected", () => seen.push("disconnected"));
rs.on("not-connected", () => seen.push("not-connected")); rs.on("error", (e) => errors.push(e.name + ": " + e.message));
window.notes = rs.scope("/notes/"); window.changes = [];
notes.on("change", (e) => changes.push({ path: e.relativePath, origin: e.origin, old: e.oldValue, now: e.newValue }));
</script>`;
const pages = { "/": ["text/html", app], "/library.js": ["text/javascript", library], "/bookmarks.js": ["text/javascript", bookmarks] };
const site = http.createServer((request, response) => {
  const [kind, body] = pages[request.url.split("?")[0]] || [null, null];
  response.writeHead(kind ? 200 : 404, { "Content-Type": kind || "text/plain" });
  response.end(body || "");
});
await new Promise((done) => site.listen(0, "127.0.0.1", done));
const home = `http://localhost:${site.address().port}/`;

const login = "Basic " + Buffer.from(`${task.drive.user}:${task.drive.password}`).toString("base64");
const drive = (method, path, body, headers = {}) =>
  fetch(`${task.base}/dav/alice/${path}`, { method, body, headers: { Authorization: login, ...headers } });

const browser = await chromium.launch({ executablePath: task.chromium, args: ["--no-sandbox"] });
let page;
try {
  page = await (await browser.newContext({ locale: "en" })).newPage();
  page.setDefaultTimeout(30000);
  await page.goto(home);
  await page.evaluate((address) => { setTimeout(() => rs.connect(address), 0); }, `alice@${host}`);
  await page.waitForURL(/\/ui\/sign-in/);
  say("not signed in: the sign-in page comes first", true);
  await page.fill("[name=name]", "alice");
  await page.fill("[name=password]", task.password);
  await page.click("button.main");
  await page.waitForURL(/\/oauth\/authorize/);
  const words = await page.innerText("main");
  say("the page names the app and what it wants", words.includes(new URL(home).host) && /Read and change notes/.test(words) && /Read and change bookmarks/.test(words), words);
  await page.click("button[value=allow]");
  await page.waitForURL(home + "**");
  await page.waitForFunction(() => window.rs && rs.connected);
  say("connected", true);

  const sync = () => page.evaluate(async () => { await rs.startSync(); await new Promise((done) => setTimeout(done, 300)); await rs.startSync(); });
  const settle = async (check) => {
    for (let n = 0; n < 40; n++) {
      await sync();
      if (await check()) return true;
      await new Promise((done) => setTimeout(done, 250));
    }
    return false;
  };
  await page.evaluate(() => notes.storeFile("text/plain; charset=utf-8", "from app é.txt", "hello from the app"));
  let text = "";
  say("what the app writes is in the drive", await settle(async () => {
    const got = await drive("GET", "notes/" + encodeURIComponent("from app é.txt"));
    text = await got.text();
    return got.status === 200 && text === "hello from the app" && got.headers.get("content-type") === "text/plain; charset=utf-8";
  }), text);
  await drive("PUT", "notes/from-drive.txt", "hello from the drive", { "Content-Type": "text/plain" });
  let found;
  say("what the drive writes is in the app", await settle(async () => {
    found = await page.evaluate(() => notes.getFile("from-drive.txt", false));
    return found && found.data === "hello from the drive";
  }), JSON.stringify(found));
  await drive("DELETE", "notes/from-drive.txt");
  say("what the drive deletes is gone in the app", await settle(async () =>
    page.evaluate(async () => !(await notes.getListing("", false))["from-drive.txt"])));

  await page.evaluate(() => { rs.stopSync(); });
  await drive("PUT", "notes/" + encodeURIComponent("from app é.txt"), "changed in the drive", { "Content-Type": "text/plain" });
  await page.evaluate(() => { changes.length = 0; return notes.storeFile("text/plain", "from app é.txt", "changed in the app"); });
  let conflict;
  say("a conflict is seen, and the drive's side is kept", await settle(async () => {
    conflict = await page.evaluate(() => changes.find((change) => change.origin === "conflict"));
    const kept = await (await drive("GET", "notes/" + encodeURIComponent("from app é.txt"))).text();
    return conflict && kept === "changed in the drive";
  }), JSON.stringify(conflict));

  const mark = await page.evaluate(async () => {
    const made = await rs.bookmarks.archive.store({ title: "allod", url: "https://allod.example/", tags: ["cloud"] });
    return made && made.id;
  });
  let shelf = "";
  say("a published data module's records are in the drive", await settle(async () => {
    const listed = await drive("PROPFIND", "bookmarks/archive/", undefined, { Depth: "1" });
    shelf = await listed.text();
    return listed.status === 207 && shelf.includes("/bookmarks/archive/") && (shelf.match(/<D:response>/g) || []).length > 1;
  }), mark + " " + shelf.slice(0, 200));

  const token = await page.evaluate(() => rs.remote.token);
  const narrow = await page.evaluate(async ([base, token]) => {
    const got = await fetch(`${base}/storage/alice/other/x`, { headers: { Authorization: `Bearer ${token}` } });
    return got.status;
  }, [task.base, token]);
  say("what was not asked for is closed", narrow === 403, narrow);
  const ended = await page.evaluate(async ([base, token]) => {
    const revoked = await fetch(`${base}/oauth/revoke`, { method: "POST", body: new URLSearchParams({ token }) });
    const after = await fetch(`${base}/storage/alice/notes/`, { headers: { Authorization: `Bearer ${token}` } });
    return [revoked.status, after.status];
  }, [task.base, token]);
  say("a revoked token is out at once", ended[0] === 200 && ended[1] === 401, ended);
  const told = await page.evaluate(async () => {
    errors.length = 0;
    try { await rs.remote.get("/notes/"); } catch { /* told by the event */ }
    await new Promise((done) => setTimeout(done, 500));
    return errors;
  });
  say("the app is told", told.some((text) => /Unauthorized/.test(text)), told);
  await page.evaluate(() => rs.disconnect());
  await page.waitForFunction(() => !rs.connected);
  say("disconnected", true);

  await page.evaluate((address) => { setTimeout(() => rs.connect(address), 0); }, `alice@${host}`);
  await page.waitForURL(/\/oauth\/authorize/);
  await page.click("button[value=deny]");
  await page.waitForURL(home + "**");
  const denied = await page.evaluate(() => [location.href, rs.connected]);
  say("who is not let in is told so", denied[1] === false, denied);
  say("end", true);
} catch (error) {
  say("walk", false, `${error.message} at ${page ? page.url() : "start"}`);
  if (page) await page.screenshot({ path: `${task.folder}/broken.png` }).catch(() => {});
} finally {
  await browser.close();
  site.close();
}
