// Sends every change at once and in order; keeps what is not saved yet while the server is away.
//
// Each image has at most one waiting change, which later ones replace while it waits. A change
// carries the version that was seen, so the server refuses it if somebody else was faster.

import { request, spoken } from "./dom.js";

const WAIT_MS = 200;
const LONGEST_ANSWER_MS = 20000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 10000;
const AWAY = [0, 408, 425, 429, 500, 502, 503, 504];

// Returns the answer's status and body; 0 if nobody answered.
export async function ask(method, path, body) {
  try {
    const { status, content } = await request(path, { method, body, signal: AbortSignal.timeout(LONGEST_ANSWER_MS) });
    return { status, body: content };
  } catch {
    return { status: 0, body: null };
  }
}

export function said(answer, fallback) {
  return spoken(answer.body?.detail) || fallback;
}

// `me` is the name of who is signed in; `on` has saved(key, drawing), conflict(key, yours, theirs),
// refused(key, answer) and state("saved" | "saving" | "unsaved" | "conflict" |
// "signed_out").
export function createSaving({ me, on }) {
  const place = `axilla-unsaved-${me}`;
  const waiting = new Map();
  const versions = new Map();
  const torn = new Set(); // two versions, and nobody has chosen yet
  let timer = 0;
  let running = false;
  let going = false; // away to sign in: what waits is kept, and sent on the way back
  let retry = FIRST_RETRY_MS;
  restore();

  function restore() {
    try {
      for (const [key, entry] of JSON.parse(sessionStorage.getItem(place) ?? "[]")) {
        waiting.set(key, { content: entry.content, submit: entry.submit });
        versions.set(key, entry.version);
      }
    } catch { /* another program's content: nothing of ours is lost */ }
    if (waiting.size) later(0);
  }

  function keep() {
    const kept = [...waiting].map(([key, entry]) => [key, { ...entry, version: versions.get(key) ?? 0 }]);
    try {
      if (kept.length) sessionStorage.setItem(place, JSON.stringify(kept));
      else sessionStorage.removeItem(place);
    } catch { /* no room: the page still holds it */ }
  }

  function later(ms = WAIT_MS) {
    window.clearTimeout(timer);
    timer = window.setTimeout(run, ms);
  }

  function change(key, content) {
    torn.delete(key);
    const entry = waiting.get(key) ?? { content: null, submit: false };
    entry.content = content;
    waiting.set(key, entry);
    keep();
    on.state("saving");
    if (!running) later();
  }

  function submit(key) {
    const entry = waiting.get(key) ?? { content: null, submit: false };
    entry.submit = true;
    waiting.set(key, entry);
    keep();
    on.state("saving");
    if (!running) later(0);
  }

  async function run() {
    if (running) return;
    window.clearTimeout(timer);
    running = true;
    try {
      while (waiting.size) {
        const [key, entry] = waiting.entries().next().value;
        on.state("saving");
        const pause = await step(key, entry);
        keep();
        if (pause) return later(pause);
        retry = FIRST_RETRY_MS;
      }
      on.state(torn.size ? "conflict" : "saved");
    } finally {
      running = false;
    }
  }

  // Sends one change; answers how long to wait before the next, 0 for not at all.
  async function step(key, entry) {
    const version = versions.get(key) ?? 0;
    const content = entry.content;
    const answer = content !== null
      ? await ask("PUT", `/api/rois/${key}`, { version, ...content })
      : await ask("POST", `/api/rois/${key}/submit`, { version });
    if (AWAY.includes(answer.status)) {
      on.state("unsaved");
      retry = Math.min(retry * 2, LONGEST_RETRY_MS);
      return retry / 2;
    }
    // Another session in this browser has another proof than this page was given.
    if (answer.status === 401 || answer.body?.detail?.place === "X-CSRF-Token") {
      on.state("signed_out");
      return LONGEST_RETRY_MS;
    }
    const theirs = answer.body?.theirs;
    const done = answer.status === 200 ? answer.body : arrived(theirs, version, content) ? theirs : null;
    if (done) {
      versions.set(key, done.version);
      if (content !== null && entry.content === content) entry.content = null;
      else if (content === null) entry.submit = false;
      if (entry.content === null && !entry.submit) waiting.delete(key);
      on.saved(key, done);
    } else if (answer.status === 409) {
      waiting.delete(key);
      torn.add(key);
      on.conflict(key, { ...answer.body.yours, ...(entry.content ?? {}) }, theirs);
    } else {
      waiting.delete(key);
      on.refused(key, answer);
    }
    return 0;
  }

  // The answer to an earlier try may have been lost on its way: then theirs is ours.
  function arrived(theirs, version, content) {
    if (!theirs || theirs.version !== version + 1 || theirs.annotator !== me) return false;
    if (content === null) return theirs.state === "submitted";
    const shape = (one) => JSON.stringify([one.roi && [one.roi.left, one.roi.top, one.roi.width, one.roi.height], one.absent, one.comment]);
    return theirs.state === "draft" && shape(theirs) === shape(content);
  }

  window.addEventListener("online", () => waiting.size && later(0));
  document.addEventListener("visibilitychange", () => waiting.size && !running && later(0));
  window.addEventListener("beforeunload", (event) => { if (!going && (waiting.size || torn.size)) event.preventDefault(); });
  return {
    change, submit,
    seen: (key, version) => { if (!waiting.has(key)) versions.set(key, version); },
    adopt: (key, version) => versions.set(key, version),
    version: (key) => versions.get(key) ?? 0,
    waits: (key) => waiting.has(key),
    leave() { going = true; },
    content: (key) => waiting.get(key)?.content ?? null,
    drop(key) {
      waiting.delete(key);
      torn.delete(key);
      keep();
      if (!waiting.size) on.state(torn.size ? "conflict" : "saved");
    },
  };
}
