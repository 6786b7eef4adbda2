// What pages do with script; all of it is extra. Live updates: <body data-live="/address"> names a stream whose
// "fragment" events carry an element's id on the first line and its new HTML below.
const address = document.body.dataset.live;
if (address) {
  const events = new EventSource(address);
  const state = (live) => document.body.classList.toggle("is-live", live);
  events.addEventListener("open", () => state(true));
  events.addEventListener("error", () => state(false));
  events.addEventListener("fragment", ({ data }) => {
    const end = data.indexOf("\n");
    const old = document.getElementById(data.slice(0, end));
    const holder = document.createElement("template");
    holder.innerHTML = data.slice(end + 1);
    const fresh = holder.content.firstElementChild;
    // Nobody's typing or open menu is taken from under their hands; the next event brings the news.
    if (!old || !fresh || old.querySelector("input:focus, textarea:focus, select:focus, details[open]")) return;
    const held = old.contains(document.activeElement) ? path(old, document.activeElement) : null;
    old.replaceWith(fresh);
    if (held) held.reduce((node, i) => node?.children[i], fresh)?.focus({ preventScroll: true });
  });
  window.addEventListener("pagehide", () => events.close());
  window.addEventListener("pageshow", (event) => event.persisted && location.reload());
}

// Where an element stands inside another, as child numbers from the outside in.
function path(outer, inner) {
  const steps = [];
  for (let node = inner; node !== outer; node = node.parentElement) {
    steps.unshift([...node.parentElement.children].indexOf(node));
  }
  return steps;
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details[name=menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  const copy = event.target.closest("[data-copy]");
  if (!copy) return;
  const text = document.getElementById(copy.dataset.copy);
  const done = (word) => { copy.textContent = word; };
  // The clipboard is there on HTTPS and localhost only; elsewhere the text is selected, ready for Ctrl+C.
  if (navigator.clipboard) return void navigator.clipboard.writeText(text.textContent).then(() => done("Copied"));
  getSelection().selectAllChildren(text);
  done("Press Ctrl+C");
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details[name=menu][open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

// A double click sends a form once. Where the answer is a download the page stays, so the button comes back.
document.addEventListener("submit", (event) => {
  const disable = (yes) => event.target.querySelectorAll("button[type=submit]").forEach((b) => { b.disabled = yes; });
  setTimeout(disable, 0, true);
  setTimeout(disable, 3000, false);
});
