// The lead's side of the reader study.
import { ask, make, present, speaker, told } from "./dom.js";
import { scoreTables } from "./scoring_tables.js";

const POLL_MS = 1000;
const say = speaker(told("scoring").words);
const root = await present("scoring");
const fault = make("p", { className: "fault", role: "alert", hidden: true });
const note = make("p", { role: "status", className: "ax-muted sc-note" });
const packets = make("section");
const readers = make("section");
const scores = make("section");
root.replaceChildren(fault, note, packets, readers, scores);

function complain(text) {
  fault.textContent = text;
  fault.hidden = !text;
}

async function doing(work, word) {
  complain("");
  try {
    await work();
    if (word) note.textContent = say(word);
  } catch (error) {
    complain(error.message);
  }
}

async function refresh() {
  try {
    const study = await ask("/api/readings");
    drawPackets(study);
    drawReaders(study);
    await drawScores(study);
    if (study.job.state === "running") follow();
  } catch (error) {
    complain(`${say("failed")} ${error.message}`);
  }
}

function field(name, word, properties) {
  const input = make("input", { id: `sc-${name}`, ...properties });
  return make("label", { className: "sc-field" }, [make("span", { textContent: say(word) }), input]);
}

function drawPackets({ exported, job }) {
  const form = make("form", { className: "sc-export" }, [
    field("cases", "cases", { type: "number", min: 1, max: 9999, value: exported?.patients ?? 50, required: true }),
    field("readers", "readers", { type: "number", min: 1, max: 99, value: exported?.readers.length ?? 2, required: true }),
    field("seed", "seed", { type: "number", min: 0, max: 4294967295, value: exported?.seed ?? "" }),
    exported ? field("replace", "replace", { type: "checkbox" }) : null,
    make("button", { className: "ax-button", id: "sc-export", textContent: say("export"), disabled: job.state === "running" }),
  ]);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const value = (name) => form.querySelector(`#sc-${name}`)?.value;
    const body = { cases: Number(value("cases")), readers: Number(value("readers")),
      seed: value("seed") === "" ? null : Number(value("seed")), replace: form.querySelector("#sc-replace")?.checked ?? false };
    doing(async () => {
      await ask("/api/readings/exports", { method: "POST", body });
      follow();
    });
  });
  packets.replaceChildren(
    make("h2", { textContent: say("packets") }),
    make("p", { textContent: exported ? say("what", exported) : say("none") }),
    ...(exported ? [make("p", { className: "ax-muted", textContent: say("burned") }),
      make("details", {}, [make("summary", { textContent: say("another") }), form])] : [form]),
  );
}

async function follow() {
  const { job } = await ask("/api/readings");
  if (job.state === "running") {
    note.textContent = job.total ? say("drawing", job) : say("starting");
    setTimeout(follow, POLL_MS);
    return;
  }
  if (job.state === "failed") complain(say("not_exported", { reason: job.message }));
  note.textContent = job.state === "done" ? say("exported") : "";
  refresh();
}

function drawReaders({ exported, candidates }) {
  if (!exported) {
    readers.replaceChildren();
    return;
  }
  const titles = ["reader", "account", "progress", "last", "state"];
  const rows = exported.readers.map((one) => make("tr", {}, [
    make("th", { scope: "row", textContent: one.reader }),
    make("td", {}, [picker(one, candidates)]),
    make("td", {}, [
      make("progress", { max: one.of, value: one.answered, "aria-label": `${one.reader}: ${say("progress")}` }),
      make("span", { textContent: ` ${say("of_cases", { done: one.cases_done, count: exported.patients + exported.decoys })}` }),
    ]),
    make("td", { textContent: one.last_saved_at ? new Date(one.last_saved_at * 1000).toLocaleString(document.documentElement.lang) : "–" }),
    make("td", {}, state(one)),
  ]));
  readers.replaceChildren(
    make("h2", { textContent: say("readers") }),
    ...(candidates.length ? [] : [make("p", { className: "note", textContent: say("no_readers") })]),
    make("div", { className: "sc-scroll", tabIndex: 0, role: "region", "aria-label": say("readers") }, [
      make("table", { className: "sc-table" }, [
        make("thead", {}, [make("tr", {}, titles.map((word) => make("th", { scope: "col", textContent: say(word) })))]),
        make("tbody", {}, rows),
      ])]),
  );
}

function picker(one, candidates) {
  const select = make("select", { "aria-label": `${one.reader}: ${say("account")}`, disabled: one.answered > 0 });
  const known = candidates.some((who) => who.id === one.user_id);
  const extra = one.user_id && !known ? [{ id: one.user_id, name: one.name }] : [];
  select.append(make("option", { value: "", textContent: say("nobody") }),
    ...[...candidates, ...extra].map((who) => make("option", { value: who.id, textContent: who.name })));
  select.value = one.user_id ?? "";
  select.addEventListener("change", () => doing(async () => {
    const body = { user_id: select.value ? Number(select.value) : null };
    try {
      await ask(`/api/readings/readers/${one.reader}`, { method: "PUT", body });
    } finally {
      await refresh();
    }
  }, "assigned"));
  return select;
}

function state(one) {
  if (!one.finished_at) return [say(one.answered ? "reading" : "not_begun")];
  const again = make("button", { type: "button", className: "ax-quiet", textContent: say("reopen") });
  again.setAttribute("aria-label", `${say("reopen")}: ${one.reader}`);
  again.addEventListener("click", () => doing(async () => {
    await ask(`/api/readings/readers/${one.reader}/reopen`, { method: "POST" });
    await refresh();
  }));
  return [make("span", { className: "sc-good", textContent: `${say("done")} ` }), again];
}

async function drawScores({ exported, scored }) {
  if (!exported) {
    scores.replaceChildren();
    return;
  }
  const button = make("button", { type: "button", className: "ax-button", id: "sc-score", textContent: say("score") });
  button.addEventListener("click", () => doing(async () => {
    button.disabled = true;
    note.textContent = say("scoring");
    try {
      await ask("/api/readings/scores", { method: "POST", body: {} });
      await refresh();
    } finally {
      button.disabled = false;
      note.textContent = "";
    }
  }, "written"));
  const open = exported.readers.some((one) => !one.finished_at);
  const head = [
    make("h2", { textContent: say("scores") }),
    make("div", { className: "ax-row sc-row" }, [button,
      make("a", { href: "/api/readings/answers.csv", download: "answers.csv", textContent: say("answers") })]),
    ...(open ? [make("p", { className: "note", textContent: say("early") })] : []),
  ];
  const found = scored ? await ask("/api/readings/scores") : null;
  scores.replaceChildren(...head, ...(found && found.packet === exported.packet
    ? scoreTables(found, say) : [make("p", { className: "ax-muted", textContent: say("no_scores") })]));
}

refresh();
