// Keeps a session alive while somebody works, and hides patients from view when nobody does.

const PING_MS = 4 * 60 * 1000;
const LOOK_MS = 5 * 1000;

const idleMs = 1000 * Number(document.querySelector('meta[name="idle-seconds"]')?.content || 0);
let active = Date.now();
let pinged = Date.now();

function leave() {
  const here = location.pathname + location.search;
  location.replace(`/login?next=${encodeURIComponent(here)}`);
}

async function ping() {
  pinged = Date.now();
  try {
    const answer = await fetch("/api/me", { cache: "no-store" });
    if (answer.status === 401) leave();
  } catch {
    // The server or the network is away: pages say so where it matters to them.
  }
}

if (idleMs > 0) {
  for (const kind of ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"]) {
    addEventListener(kind, () => { active = Date.now(); }, { passive: true, capture: true });
  }
  setInterval(() => {
    const now = Date.now();
    if (now - active > idleMs) leave();
    else if (now - pinged > Math.min(PING_MS, idleMs / 3) && active > pinged) ping();
  }, LOOK_MS);
}
