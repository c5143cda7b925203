// Small helps that every page has. Each page works without them.
"use strict";

// Times are written in UTC; show them by this browser's clock.
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (isNaN(at)) continue;
  const lang = document.documentElement.lang;
  const full = at.toLocaleString(lang, { dateStyle: "medium", timeStyle: "short" });
  if (time.classList.contains("day")) time.textContent = at.toLocaleDateString(lang, { dateStyle: "medium" });
  else if (time.classList.contains("weekday")) time.textContent = new Date(time.dateTime + "T12:00").toLocaleDateString(lang, { weekday: "long", day: "numeric", month: "long" });
  else if (time.classList.contains("full")) time.textContent = full;
  time.title = full;
}

// Copy buttons.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const label = button.innerHTML;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = button.dataset.done;
    setTimeout(() => { button.innerHTML = label; }, 2000);
  });
}

// Forms that ask before they do something.
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", event => {
    if (!confirm(form.dataset.confirm)) event.preventDefault();
  });
}

// A card that waits until a client really came.
for (const card of document.querySelectorAll("[data-wait]")) {
  const told = card.querySelector(".waiting");
  let tries = 0;
  const look = async () => {
    tries += 1;
    try {
      const answer = await fetch(card.dataset.wait, { headers: { accept: "application/json" } });
      if (answer.ok) {
        const { last } = await answer.json();
        if (last) {
          told.textContent = last.told;
          card.classList.add("came");
        }
      }
    } catch (error) { /* the next look may work */ }
    if (tries < 900) setTimeout(look, tries < 150 ? 2000 : 10000);
  };
  look();
}

// A form for a new app shows only what belongs to the choice.
const choices = document.querySelectorAll("input[name=which]");
if (choices.length) {
  const show = () => {
    const chosen = document.querySelector("input[name=which]:checked")?.value;
    for (const part of document.querySelectorAll(".only-folder")) part.hidden = chosen !== "folder";
    for (const part of document.querySelectorAll(".only-all")) part.hidden = chosen !== "all";
  };
  choices.forEach(choice => choice.addEventListener("change", show));
  show();
}

// What can be done to entries is shown once some are chosen.
const bulk = document.getElementById("bulk");
if (bulk) {
  const boxes = [...document.querySelectorAll("#entries input[type=checkbox]")];
  const show = () => { bulk.hidden = !boxes.some(box => box.checked); };
  boxes.forEach(box => box.addEventListener("change", show));
  show();
}

// The calendar is drawn by this browser's time zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.includes("allod-zone=" + encodeURIComponent(zone))) {
  document.cookie = `allod-zone=${encodeURIComponent(zone)}; path=/ui; max-age=31536000; samesite=lax`;
  if (location.pathname === "/ui/calendar") location.reload();
}
