// What is shown keeps itself up to date; without this script a page is as it was loaded.
"use strict";

const main = document.querySelector("main");
const every = Number(main.dataset.live);

// While somebody fills in a form or has text selected, nothing may be pulled away.
const busy = () =>
  document.hidden ||
  main.querySelector("details[open]") !== null ||
  ["INPUT", "SELECT", "BUTTON"].includes(document.activeElement?.tagName) ||
  String(document.getSelection()) !== "";

async function refresh() {
  const answer = await fetch(location.href, { redirect: "error", credentials: "same-origin" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main");
  if (fresh === null || busy() || fresh.innerHTML === main.innerHTML) return;
  const focused = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  main.replaceChildren(...fresh.childNodes);
  if (focused !== null) main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

if (every > 0) {
  setInterval(() => {
    if (!busy()) refresh().catch(() => {});
  }, every);
}

// "/" goes to the first field to search or filter by.
document.addEventListener("keydown", (event) => {
  const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement?.tagName);
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const field = main.querySelector("input:not([type=hidden]), select");
    if (field !== null) {
      event.preventDefault();
      field.focus();
    }
  }
});

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", () => navigator.clipboard.writeText(button.dataset.copy));
}
