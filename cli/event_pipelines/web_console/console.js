// Brings what is new into the page that is open, and nothing else: without it a page is complete.
const main = document.querySelector("#content");

// Changes `old` into `fresh` in place, so that focus, what is open and what is typed stay.
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) return old.replaceWith(fresh);
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value && name !== "open") old.setAttribute(name, value);
  const before = [...old.childNodes];
  [...fresh.childNodes].forEach((child, at) =>
    at < before.length ? morph(before[at], child) : old.append(child));
  before.slice(fresh.childNodes.length).forEach((child) => child.remove());
}

let asking = false;
async function refresh() {
  // Not under the hands of whoever types or has chosen text.
  const busy = document.activeElement.matches("input") || !getSelection().isCollapsed;
  if (asking || busy || document.hidden) return;
  asking = true;
  try {
    const text = await (await fetch(location.href)).text();
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const content = fresh.querySelector("#content");
    if (content) morph(main, content);
    document.title = fresh.title;
  } finally {
    asking = false;
  }
}

// After as many seconds as the page says by then; 0: with each look.
let stream;
function schedule() {
  const seconds = Number(main?.dataset.refresh ?? NaN);
  // Nothing is looked at while nobody looks.
  const live = seconds === 0 && !document.hidden;
  if (live && !stream) (stream = new EventSource("/events")).onmessage = refresh;
  if (!live) stream = stream?.close();
  setTimeout(async () => {
    if (seconds > 0) await refresh().catch(() => {});
    schedule();
  }, 1000 * (seconds || 1));
}
schedule();

document.addEventListener("click", async ({ target }) => {
  if (!target.dataset?.copy) return;
  await navigator.clipboard.writeText(target.dataset.copy);
  target.textContent = "Copied";
});
