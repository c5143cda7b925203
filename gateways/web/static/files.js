// Uploads: several at a time, with progress, by button or by dropping files and folders onto the page.
"use strict";

(() => {
  const upload = document.querySelector("[data-upload]");
  if (!upload) return;
  upload.hidden = false;
  const box = document.getElementById("uploads");
  const token = document.body.dataset.token;
  const AT_ONCE = 3;

  const url = path => upload.dataset.upload + "/" + path.split("/").map(encodeURIComponent).join("/");
  const fill = (text, x, y) => text.replace("{x}", () => x).replace("{y}", () => y);

  function send(file, path, replace, progress) {
    return new Promise(resolve => {
      const request = new XMLHttpRequest();
      request.open("PUT", url(path) + (replace ? "?replace" : ""));
      request.setRequestHeader("x-form-token", token);
      request.setRequestHeader("accept", "application/json");
      request.setRequestHeader("x-modified", String(file.lastModified));
      if (!file.type) request.setRequestHeader("content-type", "application/octet-stream");
      request.upload.onprogress = event => progress(event.loaded);
      request.onload = () => resolve(request.status);
      request.onerror = () => resolve(0);
      request.send(file);
    });
  }

  async function take(files) {
    if (!files.length) return;
    box.hidden = false;
    box.replaceChildren();
    const line = document.createElement("p");
    const bar = document.createElement("progress");
    bar.max = Math.max(1, files.reduce((sum, one) => sum + one.file.size, 0));
    bar.setAttribute("aria-label", upload.dataset.done);
    box.append(line, bar);
    const loaded = new Map();
    let done = 0;
    const failed = [], there = [];
    const tell = () => {
      bar.value = [...loaded.values()].reduce((sum, bytes) => sum + bytes, 0);
      line.textContent = fill(upload.dataset.going, done, files.length);
    };
    const run = async (queue, replace) => {
      const next = async () => {
        for (let one = queue.shift(); one; one = queue.shift()) {
          const { file, path } = one;
          const status = await send(file, path, replace, bytes => { loaded.set(path, bytes); tell(); });
          if (status === 200) done += 1;
          else if (status === 409 && !replace) there.push(one);
          else failed.push(path);
          loaded.set(path, file.size);
          tell();
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, next));
    };
    tell();
    await run([...files], false);
    if (there.length && confirm(upload.dataset.confirm)) await run([...there], true);
    line.textContent = failed.length
      ? fill(upload.dataset.failed, failed.join(", "), "")
      : fill(upload.dataset.done, done, "");
    box.dataset.state = failed.length ? "failed" : "done";
    if (!failed.length) setTimeout(() => location.reload(), 700);
  }

  for (const id of ["pick", "pick-folder"]) {
    document.getElementById(id).addEventListener("change", event => {
      take([...event.target.files].map(file => ({ file, path: file.webkitRelativePath || file.name })));
      event.target.value = "";
    });
  }

  async function walk(entry, prefix, found) {
    if (entry.isFile) {
      found.push({ file: await new Promise((yes, no) => entry.file(yes, no)), path: prefix + entry.name });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((yes, no) => reader.readEntries(yes, no));
      if (!some.length) return;
      for (const one of some) await walk(one, prefix + entry.name + "/", found);
    }
  }

  const page = document.querySelector("main");
  page.addEventListener("dragover", event => { event.preventDefault(); page.classList.add("drop"); });
  page.addEventListener("dragleave", () => page.classList.remove("drop"));
  page.addEventListener("drop", async event => {
    event.preventDefault();
    page.classList.remove("drop");
    const entries = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry()).filter(Boolean);
    const found = [];
    for (const entry of entries) await walk(entry, "", found);
    take(found);
  });
})();
