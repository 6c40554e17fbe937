// What the portal does better with script than without. Every page works without it.
"use strict";

const pages = new DOMParser();

/** Fetches one of our pages. `X-Sheet` tells the server that script asks: it names the next page rather than redirect. */
async function fetchPage(url, options = {}) {
  const headers = { Accept: "text/html", "X-Sheet": "1", ...options.headers };
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
  if (!dialog.open) dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector(".field input:not([readonly])"))?.focus();
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

// Passwords: the server judges while one is typed, and again where it is set; the length is told at once.
function watchPassword(field) {
  const line = document.getElementById(field.id + "-strength");
  const hint = document.getElementById(field.id + "-hint");
  const shortest = Number(field.dataset.shortest);
  const first = hint.textContent;
  let due = null;
  const show = (secure, words) => {
    line.dataset.secure = hint.dataset.secure = secure;
    hint.textContent = words;
  };
  const ask = async (password) => {
    const username = field.form.elements.username?.value ?? "";
    const response = await fetch("/v1/passwords/check", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username, password }),
    });
    const verdict = await response.json();
    if (field.value === password) show(verdict.good ? "yes" : "no", verdict.good ? "Secure enough." : verdict.detail);
  };
  field.addEventListener("input", () => {
    const password = field.value;
    const length = [...password].length;
    clearTimeout(due);
    if (length === 0) show("", first);
    else if (length < shortest) show("no", `Too short: ${length} of at least ${shortest} characters.`);
    else due = setTimeout(() => ask(password).catch(() => show("", first)), 150);
  });
}

/** What was wrong with a field goes once it is altered. */
function forgive(field) {
  field.addEventListener("input", () => {
    document.getElementById(field.id + "-wrong")?.remove();
    field.removeAttribute("aria-invalid");
  }, { once: true });
}

/** Gives what is below `root` its behaviour. */
function enhance(root) {
  root.querySelectorAll("[aria-invalid=true]").forEach(forgive);
  root.querySelectorAll("input[data-shortest]").forEach(watchPassword);
  root.querySelectorAll("[data-sends]").forEach((field) => field.addEventListener("change", () => field.form.requestSubmit()));
  root.querySelectorAll("button[hidden]").forEach((button) => { button.hidden = false; });
  root.querySelectorAll("datalist[data-zones]").forEach((list) => {
    list.replaceChildren(...(Intl.supportedValuesOf?.("timeZone") ?? []).map((zone) => new Option(zone, zone)));
  });
  root.querySelectorAll("time[datetime]").forEach((time) => {
    const at = new Date(time.dateTime);
    const today = at.toDateString() === new Date().toDateString();
    const words = today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" };
    time.textContent = at.toLocaleString(undefined, words);
    time.title = at.toLocaleString(undefined, { dateStyle: "full", timeStyle: "long" });
  });
}

// Live parts: the server says that something changed, or so many seconds have passed (data-every), and the parts of this page
// are fetched anew.
async function refresh() {
  // Nobody need be there, so the server does not take it for use of the session.
  const { next, page } = await fetchPage(location.href, { headers: { "X-Refresh": "1" } }).catch(() => ({}));
  // Signed out meanwhile, say.
  if (next) return location.assign(next);
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
}

function follow(url) {
  let source = null;
  let due = null;
  const listen = () => {
    if (document.hidden) { source?.close(); source = null; return; }
    if (source) return;
    source = new EventSource(url);
    source.addEventListener("changed", () => { due ??= setTimeout(() => { due = null; refresh(); }, 150); });
  };
  // A hidden page keeps no connection: browsers allow few to one server.
  document.addEventListener("visibilitychange", listen);
  listen();
}

enhance(document);
// On a telephone the menu and the tabs are longer than the screen is wide.
const showWhere = () => {
  for (const current of document.querySelectorAll("nav [aria-current]")) current.scrollIntoView({ inline: "center", block: "nearest" });
};
showWhere();
addEventListener("resize", showWhere);
const live = document.querySelector("main[data-events]");
if (live) follow(live.dataset.events);
const paced = document.querySelector("[data-every]");
if (paced) setInterval(() => { if (!document.hidden) refresh(); }, paced.dataset.every * 1000);
(document.querySelector("[aria-invalid=true]") ?? document.querySelector("[role=alert][tabindex]"))?.focus();
