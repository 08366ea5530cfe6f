// Reading one blinded case at a time.
import { ask, make, present, Refused, speaker, told } from "./dom.js";
import { saver } from "./reading_saving.js";
import { figures, setOpacity, opacity } from "./reading_figures.js";
import { guide, keysOn } from "./reading_guide.js";

const data = told("reading");
const say = speaker(data.words);
const root = await present("reading");
root.style.setProperty("--strength", data.strength.join(" "));

let packet = null;
let shown = null; // the case on the screen: {code, version, images, answers}
let body = null;
const status = make("span", { className: "rd-status", role: "status" });
const fault = make("p", { className: "fault", role: "alert", hidden: true });

const whole = (one) => one.present === false || (one.present === true && one.matches !== null);
const at = () => packet.cases.findIndex((one) => one.code === shown.code);
const complete = (one) => one.answered === one.of;

const save = saver({
  send: (one) => ask(`/api/readings/mine/cases/${one.code}`, {
    method: "PUT", body: { version: one.version, answers: one.answers },
  }),
  say: (key, values) => { status.textContent = say(key, values); },
  saved: (code, state) => {
    Object.assign(packet.cases.find((one) => one.code === code), state);
    count();
  },
  stale: async (code) => {
    if (shown?.code === code) await open(code);
    complain(say("stale"));
  },
  closed: () => start(),
});

function complain(text) {
  fault.textContent = text;
  fault.hidden = !text;
}

async function start() {
  try {
    packet = await ask("/api/readings/mine");
  } catch (error) {
    const none = error instanceof Refused && error.status === 404;
    root.replaceChildren(
      make("p", { className: none ? "note" : "fault", textContent: none ? say("none") : `${say("failed")} ${error.message}` }),
      ...(none ? [] : [make("button", { className: "ax-quiet", textContent: say("again"), onclick: start })]),
    );
    return;
  }
  if (packet.finished) {
    root.replaceChildren(make("p", { className: "rd-done", textContent: say("finished") }));
    return;
  }
  draw();
  const fresh = packet.cases.every((one) => one.answered === 0);
  root.querySelector("details.rd-guide").open = fresh;
  const last = packet.cases.find((one) => one.code === packet.at);
  await open((last ?? packet.cases[0]).code, { quiet: true });
}

function draw() {
  const jump = make("select", { id: "rd-jump", "aria-label": say("goto"), onchange: () => open(jump.value) });
  jump.append(...packet.cases.map((one) => make("option", { value: one.code })));
  body = make("div", { className: "rd-case", tabIndex: -1 });
  root.replaceChildren(
    guide(say),
    make("div", { className: "rd-bar" }, [
      make("span", { className: "rd-where", id: "rd-where" }), jump,
      make("div", { className: "rd-moves" }, [
        button("previous", () => step(-1)), button("next", () => step(1)), button("open", nextOpen),
      ]),
      make("span", { id: "rd-count", className: "ax-muted" }), status,
      make("progress", { id: "rd-progress", max: 1, value: 0, "aria-label": say("progress", { done: "", count: "" }) }),
    ]),
    fault, body, make("div", { id: "rd-end", className: "rd-end" }),
  );
}

const button = (word, onclick) => make("button", {
  type: "button", className: "ax-quiet", id: `rd-${word}`, textContent: say(word), onclick,
});

async function open(code, { quiet = false } = {}) {
  try {
    await save.settled(code);
    shown = await ask(`/api/readings/mine/cases/${code}`);
  } catch (error) {
    complain(`${say("failed")} ${error.message}`);
    return;
  }
  if (!quiet) complain("");
  body.replaceChildren(...shown.images.map((image) => make("section", { className: "rd-modality" }, [
    make("h2", { textContent: say(image.modality) }),
    make("div", { className: "rd-pair" }, [
      figures(shown.code, image, say),
      make("div", { className: "rd-questions" }, shown.answers.filter((one) => one.modality === image.modality).map(row)),
    ]),
  ])));
  count();
  if (!quiet) {
    window.scrollTo(0, 0);
    body.focus({ preventScroll: true });
  }
  prefetch();
}

// The next case's pictures, so that it appears at once.
function prefetch() {
  const following = packet.cases[at() + 1];
  if (!following) return;
  for (const image of shown.images) {
    for (const kind of ["image", "map"]) {
      new Image().src = `/api/readings/mine/cases/${following.code}/images/${image.modality}/${kind}`;
    }
  }
}

function row(one) {
  const element = make("div", { className: "rd-question", role: "group", "aria-label": one.criterion });
  const comment = make("input", {
    type: "text", maxLength: 500, value: one.comment, placeholder: say("comment"),
    "aria-label": say("comment_on", { criterion: one.criterion }),
    oninput: () => { one.comment = comment.value; save.soon(shown); },
    onchange: () => save.now(shown),
  });
  element.append(
    make("span", { className: "rd-name", textContent: one.criterion }),
    choice(one, "present", element), choice(one, "matches", element), comment,
  );
  mark(one, element);
  return element;
}

function choice(one, field, element) {
  const group = make("div", { className: `rd-choice rd-${field}`, role: "group", "aria-label": `${one.criterion}: ${say(field)}` });
  group.append(make("span", { className: "ax-muted", textContent: say(field) }));
  for (const value of [true, false]) {
    group.append(make("button", {
      type: "button", className: "rd-answer", "data-value": value, textContent: say(value ? "yes" : "no"),
      onclick: () => answer(one, field, one[field] === value ? null : value, element),
    }));
  }
  return group;
}

function mark(one, element) {
  for (const field of ["present", "matches"]) {
    for (const one_button of element.querySelectorAll(`.rd-${field} button`)) {
      one_button.setAttribute("aria-pressed", String(one[field] === (one_button.dataset.value === "true")));
      if (field === "matches") one_button.disabled = one.present !== true;
    }
  }
  element.classList.toggle("rd-whole", whole(one));
  element.classList.toggle("rd-half", one.present === true && one.matches === null);
}

function answer(one, field, value, element) {
  one[field] = value;
  if (one.present !== true) one.matches = null;
  mark(one, element);
  const state = packet.cases[at()];
  state.answered = shown.answers.filter(whole).length;
  count();
  save.now(shown);
}

function count() {
  const done = packet.cases.filter(complete).length;
  const number = at() + 1;
  const byId = (id) => document.getElementById(id);
  byId("rd-where").textContent = say("case", { number, count: packet.cases.length });
  byId("rd-count").textContent = say("progress", { done, count: packet.cases.length });
  byId("rd-progress").value = done / packet.cases.length;
  byId("rd-progress").setAttribute("aria-label", byId("rd-count").textContent);
  const jump = byId("rd-jump");
  [...jump.options].forEach((option, place) => {
    const one = packet.cases[place];
    option.textContent = `${place + 1} · ${one.code}${complete(one) ? " ✓" : one.answered ? " …" : ""}`;
  });
  jump.value = shown.code;
  byId("rd-previous").disabled = number === 1;
  byId("rd-next").disabled = number === packet.cases.length;
  byId("rd-open").disabled = done === packet.cases.length;
  ending(packet.cases.length - done);
}

function ending(left) {
  const end = document.getElementById("rd-end");
  if (left) {
    end.replaceChildren(make("p", { className: "ax-muted", textContent: say("left", { count: left }) }));
    return;
  }
  const first = make("button", { type: "button", className: "ax-button", id: "rd-finish", textContent: say("finish") });
  first.addEventListener("click", () => {
    const yes = make("button", { type: "button", className: "ax-button", id: "rd-finish-yes", textContent: say("finish_yes"), onclick: finish });
    const no = make("button", { type: "button", className: "ax-quiet", textContent: say("finish_no"), onclick: () => ending(0) });
    end.replaceChildren(make("p", { textContent: say("finish_ask") }), yes, no);
    yes.focus();
  });
  end.replaceChildren(first);
}

async function finish() {
  try {
    await save.settled();
    await ask("/api/readings/mine/finish", { method: "POST" });
    await start();
  } catch (error) {
    complain(error.message);
  }
}

function step(by) {
  const following = packet.cases[at() + by];
  if (following) open(following.code);
}

function nextOpen() {
  const here = at();
  for (let k = 1; k <= packet.cases.length; k += 1) {
    const one = packet.cases[(here + k) % packet.cases.length];
    if (!complete(one)) return open(one.code);
  }
  return undefined;
}

// The question that a single key answers: where the focus is, or the first that is open.
function current() {
  const rows = [...root.querySelectorAll(".rd-question")];
  const focused = rows.findIndex((one) => one.contains(document.activeElement));
  const place = focused >= 0 ? focused : shown.answers.findIndex((one) => !whole(one));
  return place >= 0 ? { place, rows, one: shown.answers[place] } : null;
}

function byKey(value) {
  const found = current();
  if (!found) return;
  const { one, rows, place } = found;
  const inMatches = Boolean(document.activeElement.closest?.(".rd-matches"));
  const field = one.present === true && (one.matches === null || inMatches) ? "matches" : "present";
  answer(one, field, value, rows[place]);
  const next = whole(one) ? shown.answers.findIndex((other) => !whole(other)) : place;
  const target = next >= 0 ? rows[next] : document.getElementById("rd-next");
  const still = next >= 0 && shown.answers[next].present === true ? ".rd-matches button" : ".rd-present button";
  (next >= 0 ? target.querySelector(still) : target.disabled ? document.getElementById("rd-finish") : target)?.focus();
}

function move(by) {
  const rows = [...root.querySelectorAll(".rd-question")];
  const place = rows.findIndex((one) => one.contains(document.activeElement));
  rows[Math.min(Math.max(place + by, 0), rows.length - 1)]?.querySelector("button").focus();
}

const KEYS = {
  y: () => byKey(true), n: () => byKey(false), j: () => move(1), k: () => move(-1),
  "]": () => step(1), "[": () => step(-1), u: nextOpen,
  m: () => setOpacity(opacity() ? 0 : 70), "+": () => setOpacity(opacity() + 10), "-": () => setOpacity(opacity() - 10),
};

document.addEventListener("keydown", (event) => {
  if (!shown || !body?.isConnected || !keysOn() || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input[type=text], select, textarea")) return;
  const doing = KEYS[event.key.toLowerCase()];
  if (!doing) return;
  event.preventDefault();
  doing();
});
window.addEventListener("beforeunload", (event) => { if (save.pending()) event.preventDefault(); });

start();
