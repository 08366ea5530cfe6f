// What annotating and reviewing share: the list at the left, pictures, dialogs and shortcuts.

import { filled, make } from "./dom.js";
import { ask } from "./saving.js";

const KEPT_PICTURES = 5;
const REFRESH_MS = 120000;
const STATES = ["new", "draft", "submitted", "accepted", "disagreement"];

// Returns the sides of a rectangle alone, or null.
export const shape = (roi) => roi && { left: roi.left, top: roi.top, width: roi.width, height: roi.height };

export function chip(words, state) {
  return make("span", { class: `an-chip an-${state}`, text: words[`state_${state}`] });
}

// `open(item)` shows an image; `filter` is the state shown first, "" for all; `pointed()` is called
// after a click with a pointer, so that arrow keys go to the image; `held(image)` tells what the
// server need not say anew; `leaves()` whether the image that is open may be left.
export function createWorklist(host, {
  words, open, filter = "", finished, pointed, held = () => false, leaves = () => true,
}) {
  let items = [];
  let current = null;
  const rows = new Map();
  const count = make("p", { class: "an-count", role: "status" });
  const bar = make("progress", { max: "1", value: "0", "aria-label": words.progress });
  const select = make("select", { onchange: shown, id: "an-state" }, make("option", { value: "", text: words.all_states }));
  for (const state of STATES) select.append(make("option", { value: state, text: words[`state_${state}`] }));
  select.value = filter;
  const search = make("input", { type: "search", id: "an-search", autocomplete: "off", maxlength: "100", oninput: shown });
  const list = make("ul", { class: "an-items" });
  const none = make("p", { class: "ax-muted", text: words.none_listed, hidden: true });
  host.replaceChildren(
    count, bar,
    make("div", { class: "an-filters" },
      make("label", { for: "an-state", text: words.state }), select,
      make("label", { for: "an-search", text: words.patient }), search),
    list, none);

  function row(item) {
    const name = item.parts > 1 ? `${item.patient_id} · ${item.part}/${item.parts}` : item.patient_id;
    const button = make("button", { type: "button", "data-image": item.image, onclick: (event) => { go(item.image); if (event.detail) pointed(); } },
      make("span", { class: "an-name", text: name }), chip(words, item.state));
    return make("li", {}, button);
  }

  function set(found) {
    items = found;
    rows.clear();
    for (const item of items) rows.set(item.image, row(item));
    list.replaceChildren(...rows.values());
    for (const state of STATES) {
      const many = items.filter((item) => item.state === state).length;
      select.querySelector(`option[value="${state}"]`).textContent = `${words[`state_${state}`]} (${many})`;
    }
    shown();
  }

  function update(image, change) {
    const item = items.find((one) => one.image === image);
    if (!item || Object.entries(change).every(([name, value]) => item[name] === value)) return;
    const moved = change.state && change.state !== item.state;
    Object.assign(item, change);
    const fresh = row(item);
    const focused = rows.get(image).contains(document.activeElement);
    rows.get(image).replaceWith(fresh);
    rows.set(image, fresh);
    if (moved) {
      for (const state of STATES) {
        const many = items.filter((one) => one.state === state).length;
        select.querySelector(`option[value="${state}"]`).textContent = `${words[`state_${state}`]} (${many})`;
      }
    }
    shown();
    if (focused) fresh.firstChild.focus();
  }

  function shown() {
    const text = search.value.trim().toLowerCase();
    let visible = 0;
    for (const item of items) {
      const fits = (!select.value || item.state === select.value || item.image === current)
        && item.patient_id.toLowerCase().includes(text);
      rows.get(item.image).hidden = !fits;
      visible += fits;
      const button = rows.get(item.image).firstChild;
      if (item.image === current) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    none.hidden = visible > 0;
    const done = items.filter(finished).length;
    count.textContent = filled(words.finished, { done, all: items.length });
    bar.max = Math.max(items.length, 1);
    bar.value = done;
  }

  function go(image) {
    const item = items.find((one) => one.image === image);
    if (!item || (image !== current && !leaves())) return;
    current = image;
    shown();
    rows.get(image).scrollIntoView({ block: "nearest" });
    history.replaceState(null, "", `#${image}`);
    open(item);
  }

  // Others work on the same list: what they did since is shown to whoever comes back to it.
  async function refresh() {
    if (document.hidden || !items.length) return;
    const answer = await load();
    if (answer.status !== 200) return;
    for (const item of answer.body.items) if (!held(item.image) && item.image !== current) update(item.image, item);
  }
  document.addEventListener("visibilitychange", refresh);
  window.setInterval(refresh, REFRESH_MS);

  const fitting = () => items.filter((item) => !rows.get(item.image).hidden);
  function step(by) {
    const among = fitting();
    const place = among.findIndex((item) => item.image === current);
    const next = among[place + by];
    if (next) go(next.image);
    return Boolean(next);
  }

  // The next one, in the whole list, that still needs this person.
  function nextWhere(wanted) {
    const place = items.findIndex((item) => item.image === current);
    const turned = [...items.slice(place + 1), ...items.slice(0, place + 1)];
    const next = turned.find(wanted);
    if (next) go(next.image);
    return Boolean(next);
  }

  return {
    set, update, go, step, nextWhere,
    first: () => fitting()[0] ?? items[0],
    current: () => items.find((item) => item.image === current),
    item: (image) => items.find((item) => item.image === image),
    around: () => {
      const among = fitting();
      const place = among.findIndex((item) => item.image === current);
      return [among[place + 1], among[place - 1]].filter(Boolean);
    },
    all: () => items,
  };
}

// Pictures come as blobs, so that neighbours can wait in memory and nothing lands on a disk.
export function createPictures() {
  const kept = new Map();
  async function fetched(image) {
    const answer = await fetch(`/api/rois/${image}/picture`, { headers: { Accept: "image/png" } });
    if (!answer.ok) throw new Error(String(answer.status));
    return URL.createObjectURL(await answer.blob());
  }
  function get(image) {
    let url = kept.get(image);
    kept.delete(image);
    url ??= fetched(image).catch((error) => { kept.delete(image); throw error; });
    kept.set(image, url);
    while (kept.size > KEPT_PICTURES) {
      const [oldest, old] = kept.entries().next().value;
      kept.delete(oldest);
      old.then((made) => URL.revokeObjectURL(made)).catch(() => {});
    }
    return url;
  }
  return { get, ahead: (items) => items.forEach((item) => get(item.image).catch(() => {})) };
}

// For those who have no keys at hand.
export function stepButtons(words, step) {
  return [["‹", words.previous_image, -1], ["›", words.next_image, 1]].map(([sign, label, by]) => make("button", {
    type: "button", class: "ax-quiet an-step", "aria-label": label, title: label, text: sign, onclick: () => step(by),
  }));
}

const FIELDS = "input, textarea, select, [contenteditable]";

// `keys` maps a key to what it does; `viewer` gets those that nobody here wants.
export function onKeys(keys, viewer) {
  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.defaultPrevented || target.closest(FIELDS) || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || (event.altKey && !event.key.startsWith("Arrow"))) return;
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act();
      return;
    }
    const control = target.closest("button, a, summary");
    if (!control || !(event.key.startsWith("Arrow") || event.key === "Enter" || event.key === " ")) viewer.key(event);
  });
}

export function helpDialog(words, rows) {
  const table = make("table", { class: "an-keys" });
  for (const [keys, what] of rows) {
    table.append(make("tr", {}, make("th", { scope: "row" }, ...keys.split(" ").map((key) => make("kbd", { text: key }))), make("td", { text: what })));
  }
  const dialog = make("dialog", { class: "an-dialog", "aria-labelledby": "an-help" },
    make("h2", { id: "an-help", text: words.shortcuts }), table,
    make("form", { method: "dialog" }, make("button", { class: "ax-button", text: words.close })));
  document.body.append(dialog);
  return dialog;
}

export const load = () => ask("GET", "/api/rois");

export function iou(a, b) {
  if (!a || !b) return null;
  const across = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const down = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  const both = Math.max(across, 0) * Math.max(down, 0);
  return both / (a.width * a.height + b.width * b.height - both);
}
