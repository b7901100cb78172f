// Brings what is new into the page that is open, and nothing else: without it a page is complete.
const main = document.querySelector("main");

// Changes `old` into `fresh` in place, so that focus, what is open and what is typed stay.
function morph(old, fresh) {
  if (old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of fresh.attributes)
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const before = [...old.childNodes];
  [...fresh.childNodes].forEach((child, at) =>
    at < before.length ? morph(before[at], child) : old.append(child));
  before.slice(fresh.childNodes.length).forEach((child) => child.remove());
}

const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

// Nothing is asked while nobody looks.
let stream;
function listen() {
  stream?.close();
  stream = undefined;
  if (document.hidden) return;
  stream = new EventSource("/events");
  stream.onmessage = (message) => {
    morph(document.querySelector("#live"), parsed(JSON.parse(message.data)).querySelector("#live"));
  };
}

async function refresh() {
  // Not under the hands of whoever types or has chosen text.
  const busy = main.contains(document.activeElement) && document.activeElement.matches("input");
  if (!document.hidden && !busy && getSelection().isCollapsed) {
    const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
    if (answer) {
      const fresh = parsed(await answer.text()).querySelector("main");
      if (fresh) morph(main, fresh);
    }
  }
  if (main.dataset.refresh) setTimeout(refresh, 1000 * main.dataset.refresh);
}

if (main?.dataset.refresh === "0") {
  listen();
  document.addEventListener("visibilitychange", listen);
} else if (main?.dataset.refresh) setTimeout(refresh, 1000 * main.dataset.refresh);

document.addEventListener("click", async ({ target }) => {
  if (!target.dataset?.copy) return;
  await navigator.clipboard.writeText(target.dataset.copy);
  target.textContent = "Copied";
});
