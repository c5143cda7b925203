// What all steps share: the server under test, the browser, pictures, and the accessibility check.

import { spawn, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_MODULES_FROM ?? process.cwd(), "x.js"));
const { chromium } = require("playwright-core");
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const PASSWORD = "correct horse battery";

/** Starts the server on a fresh store; resolves with its addresses and the set-up link. */
export async function serve(binary) {
  const data = mkdtempSync(join(tmpdir(), "allod-web-"));
  const any = "127.0.0.1:0";
  const flags = ["--http", any, "--s3", any, "--imap", any, "--submission", any, "--mx", any];
  const child = spawn(binary, ["serve", "--data", join(data, "d"), ...flags], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "", err = "";
  child.stdout.on("data", piece => { out += piece; });
  child.stderr.on("data", piece => { err += piece; });
  for (let tries = 0; tries < 300; tries += 1) {
    await new Promise(done => setTimeout(done, 100));
    const link = err.match(/http:\S+set-up\S+/)?.[0];
    const url = out.match(/^http (\S+)/m)?.[1];
    if (/^ready$/m.test(out) && link && url) {
      return { child, data, url, link, s3: out.match(/^s3 (\S+)/m)?.[1] };
    }
  }
  throw new Error(`the server does not start: ${out}${err}`);
}

export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});

export const SHAPES = {
  "desktop-light": { viewport: { width: 1280, height: 860 }, colorScheme: "light" },
  "desktop-dark": { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  "phone-light": { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true },
  "phone-dark": { viewport: { width: 390, height: 844 }, colorScheme: "dark", isMobile: true, hasTouch: true },
};

/** Says what axe-core finds wrong with a page; nothing is what is wanted. */
export async function violations(page) {
  // The policy of the pages keeps foreign scripts out, as it should; the debugger is let in.
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const result = await window.axe.run(document, { resultTypes: ["violations"] });
    return result.violations.map(v => `${v.id}: ${v.nodes.map(n => n.target.join(" ")).slice(0, 3).join(", ")}`);
  });
  return found;
}

export function picture(folder, name) {
  if (!folder) return undefined;
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

export const command = (name, args, options = {}) => execFileSync(name, args, { encoding: "utf8", ...options });
