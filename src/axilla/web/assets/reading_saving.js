// Answers are saved one request after the other; what fails is tried again until it is kept.
import { Refused } from "./dom.js";

const RETRY_MS = 3000;
const SOON_MS = 600;

export function saver({ send, say, saved, stale, closed }) {
  const waiting = new Map(); // code: the case to be saved
  let running = null;
  let timer = null;

  async function one(code) {
    const what = waiting.get(code);
    waiting.delete(code);
    say("saving");
    try {
      const state = await send(what);
      what.version = state.version;
      saved(code, { answered: state.answered, of: state.of });
    } catch (error) {
      return failed(error, code, what);
    }
    if (!waiting.size) say("saved");
    return true;
  }

  function failed(error, code, what) {
    if (error instanceof Refused && error.status === 409) {
      waiting.delete(code);
      if (error.content.version === undefined) closed();
      else stale(code);
      return true;
    }
    if (error instanceof Refused && error.status !== 401 && error.status < 500) {
      say("refused", { reason: error.message });
      return true;
    }
    if (!waiting.has(code)) waiting.set(code, what);
    say(error instanceof Refused && error.status === 401 ? "signed_out" : "unsaved");
    return false;
  }

  async function pump() {
    while (waiting.size) {
      if (!(await one(waiting.keys().next().value))) {
        timer = setTimeout(go, RETRY_MS);
        return;
      }
    }
  }

  function go() {
    clearTimeout(timer);
    timer = null;
    running ??= pump().finally(() => {
      running = null;
      if (waiting.size && !timer) go();
    });
    return running;
  }

  return {
    now(what) {
      waiting.set(what.code, what);
      go();
    },
    soon(what) {
      waiting.set(what.code, what);
      clearTimeout(timer);
      timer = setTimeout(go, SOON_MS);
    },
    // Resolves when nothing is left to be saved; rejects if the server does not take it.
    async settled() {
      if (waiting.size || running) await go();
      if (waiting.size) throw new Error("");
    },
    pending: () => waiting.size > 0 || running !== null,
  };
}
