// What the portal does better with script than without. Every page works without it.
"use strict";

const pages = new DOMParser();

/** Fetches one of our pages. `sheet` tells the server that a dialog asks: it names the next page rather than redirect. */
async function fetchPage(url, options = {}) {
  const headers = { Accept: "text/html", "X-Sheet": "1" };
  const response = await fetch(url, { credentials: "same-origin", ...options, headers });
  const next = response.headers.get("X-Location");
  return { next, page: next ? null : pages.parseFromString(await response.text(), "text/html") };
}

// Dialogs: a link with data-dialog leads to a page whose .sheet is shown in a dialog; its forms answer there too.
let dialog = null;

async function openDialog(url) {
  const { next, page } = await fetchPage(url);
  const sheet = page?.querySelector(".sheet");
  if (!sheet) return location.assign(next ?? url);
  if (!dialog) {
    dialog = document.createElement("dialog");
    document.body.append(dialog);
    dialog.addEventListener("close", () => { if (dialog.dataset.changed) location.reload(); });
  }
  fillDialog(sheet);
  dialog.showModal();
  dialog.querySelector("[autofocus], .field input:not([readonly])")?.focus();
}

function fillDialog(sheet) {
  dialog.replaceChildren(document.adoptNode(sheet));
  const heading = dialog.querySelector("h1, h2");
  if (heading) { heading.id ||= "dialog-title"; dialog.setAttribute("aria-labelledby", heading.id); }
  enhance(dialog);
}

async function submitInDialog(form, button) {
  button?.setAttribute("aria-busy", "true");
  const { next, page } = await fetchPage(form.action, { method: "POST", body: new URLSearchParams(new FormData(form, button)) });
  if (next) return location.assign(next);
  const sheet = page.querySelector(".sheet");
  if (!sheet) { document.documentElement.replaceWith(document.adoptNode(page.documentElement)); return; }
  // A secret shown once changes what is behind the dialog.
  if (sheet.querySelector(".once")) dialog.dataset.changed = "yes";
  fillDialog(sheet);
  (dialog.querySelector("[aria-invalid=true]") ?? dialog.querySelector("[role=alert], .once input, button"))?.focus();
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-dialog], [data-close], [data-copy]");
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (target.matches("[data-dialog]")) {
    event.preventDefault();
    openDialog(target.href);
  } else if (target.matches("[data-close]") && dialog?.open) {
    event.preventDefault();
    dialog.close();
  } else if (target.matches("[data-copy]")) {
    event.preventDefault();
    copy(target);
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (dialog?.open && dialog.contains(form) && form.method === "post") {
    event.preventDefault();
    submitInDialog(form, event.submitter);
  } else if (form.method === "post") {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  }
});
// A page that comes back from the history may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
  for (const button of document.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
});

async function copy(button) {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try { await navigator.clipboard.writeText(field.value); } catch { document.execCommand("copy"); }
  const before = button.textContent;
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = before; }, 2000);
}

// Passwords: length and a list of common ones, as the server decides again.
let common = null;

function watchPassword(field) {
  const line = document.getElementById(field.id + "-strength");
  const hint = document.getElementById(field.id + "-hint");
  const shortest = Number(field.dataset.shortest);
  const first = hint.textContent;
  const judge = () => {
    const value = field.value;
    const length = [...value].length;
    const known = common?.has(value.toLowerCase());
    const secure = length >= shortest && !known;
    line.dataset.secure = hint.dataset.secure = value === "" ? "" : secure ? "yes" : "no";
    hint.textContent = value === "" ? first
      : length < shortest ? `Too short: ${length} of at least ${shortest} characters.`
      : known ? "Many people use this password, so it is guessed first. Choose another."
      : "Secure enough.";
  };
  field.addEventListener("focus", () => {
    common ??= new Set();
    if (common.size === 0) {
      fetch(field.dataset.common).then((r) => r.text()).then((text) => { common = new Set(text.split("\n")); judge(); }, () => {});
    }
  }, { once: true });
  field.addEventListener("input", judge);
}

/** Gives what is below `root` its behaviour. */
function enhance(root) {
  root.querySelectorAll("input[data-shortest]").forEach(watchPassword);
  root.querySelectorAll("[data-sends]").forEach((field) => field.addEventListener("change", () => field.form.requestSubmit()));
  root.querySelectorAll("button[hidden]").forEach((button) => { button.hidden = false; });
  root.querySelectorAll("time[datetime]").forEach((time) => {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const words = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = at.toLocaleString(undefined, words);
    time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  });
}

// Live parts: the server says that something changed, and the parts of this page are fetched anew.
function follow(url) {
  let source = null;
  let due = null;
  const refresh = async () => {
    due = null;
    const { page } = await fetchPage(location.href).catch(() => ({}));
    if (!page) return;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || part.contains(document.activeElement) && document.activeElement.matches("input, select")) continue;
      const focused = part.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      enhance(fresh);
      if (fresh.innerHTML === part.innerHTML) continue;
      part.replaceChildren(...fresh.childNodes);
      if (focused) part.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    }
  };
  const listen = () => {
    if (document.hidden) { source?.close(); source = null; return; }
    if (source) return;
    source = new EventSource(url);
    source.addEventListener("changed", () => { due ??= setTimeout(refresh, 150); });
  };
  // A hidden page keeps no connection: browsers allow few to one server.
  document.addEventListener("visibilitychange", listen);
  listen();
}

enhance(document);
const live = document.querySelector("main[data-events]");
if (live) follow(live.dataset.events);
(document.querySelector("[aria-invalid=true]") ?? document.querySelector("[role=alert][tabindex]"))?.focus();
