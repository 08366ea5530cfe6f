// Results of a study: the answer first, then numbers, curves, and the cases behind them.
import { ask, make, present, Refused, speaker, told } from "./dom.js";
import { curves } from "./results_curves.js";
import { drawer } from "./results_cases.js";
import { metricsTable } from "./results_table.js";
import { runStatus } from "./results_run.js";

const RETRY_MS = 3000;
const MOST_MODELS = 6;
const say = speaker(told("results").words);
const root = await present("results");
const cases = drawer(say);
const part = (name) => make("section", { id: `rs-${name}` });
const parts = { verdict: part("verdict"), metrics: part("metrics"), curves: part("curves"), gallery: part("gallery"), flow: part("flow"), files: part("files") };
const run = runStatus({ say, changed: () => load() });
root.replaceChildren(run.element, ...Object.values(parts), cases.dialog);

let chosen = []; // names of the models that are drawn, the first one with its intervals
let metrics = null;
const kept = new Map(); // model: curves

async function load() {
  kept.clear();
  let found;
  try {
    found = await ask("/api/results");
  } catch (error) {
    parts.verdict.replaceChildren(make("p", { className: "fault", role: "alert", textContent: `${say("failed")} ${error.message}` }));
    return;
  }
  if (found.state !== "ready") {
    Object.values(parts).forEach((section) => section.replaceChildren());
    parts.verdict.replaceChildren(...empty(found));
    if (found.state === "writing") setTimeout(load, RETRY_MS);
    return;
  }
  drawVerdict(found);
  drawFlow(found);
  drawFiles(found);
  try {
    metrics = await ask("/api/results/metrics");
    const known = new Set(metrics.models.map((one) => one.model));
    chosen = chosen.filter((name) => known.has(name));
    if (!chosen.length) chosen = metrics.leading.length ? metrics.leading : metrics.models.slice(0, 1).map((one) => one.model);
    drawMetrics();
    await drawCurves();
    await drawGallery(metrics.headline ?? chosen[0]);
  } catch (error) {
    if (!(error instanceof Refused) || error.status === 503) setTimeout(load, RETRY_MS);
    else parts.metrics.replaceChildren(make("p", { className: "fault", role: "alert", textContent: error.message }));
  }
}

function empty({ state, message }) {
  if (state === "none" && run.running()) return [make("p", { className: "ax-muted", textContent: say("coming") })];
  if (state === "none") {
    return [make("p", { className: "note", textContent: say("none") }), make("p", {}, [make("code", { textContent: "axilla run DIR" })])];
  }
  const words = state === "writing" ? "note" : "fault";
  return [make("p", { className: words, role: "status", textContent: say(state) }), make("p", { className: "rs-said", textContent: message })];
}

function drawVerdict(found) {
  const facts = [say("facts", { patients: found.patients, positive: found.n_positive, outcome: found.outcome }),
    found.finished && say("finished_at", { day: found.finished.slice(0, 10) }), found.seed !== null && say("seed", { seed: found.seed })].filter(Boolean);
  parts.verdict.replaceChildren(
    make("h2", { className: "rs-name", textContent: found.name }),
    make("p", { className: "ax-muted", textContent: facts.join(" · ") }),
    make("div", { className: "ax-card rs-verdict" }, [
      make("p", { className: "rs-lead", textContent: found.lead }),
      make("details", {}, [
        make("summary", { textContent: say("more") }),
        make("ul", {}, [...found.more, ...found.caveats].map((text) => make("li", { textContent: text }))),
      ]),
    ]),
  );
}

function drawMetrics() {
  parts.metrics.replaceChildren(
    make("h2", { textContent: say("metrics") }),
    metricsTable(metrics.models, { say, chosen, most: MOST_MODELS, choose: (names) => { chosen = names; drawCurves(); } }),
  );
}

async function drawCurves() {
  const rows = new Map(metrics.models.map((one) => [one.model, one]));
  const wanted = [...chosen];
  try {
    await Promise.all(wanted.filter((name) => !kept.has(name)).map(async (name) => {
      kept.set(name, await ask(`/api/results/curves?model=${encodeURIComponent(name)}`));
    }));
  } catch (error) {
    parts.curves.replaceChildren(make("p", { className: "fault", role: "alert", textContent: error.message }));
    return;
  }
  if (wanted.join() !== chosen.join()) return;
  const models = wanted.map((name, place) => ({
    model: name, key: name, label: rows.get(name).label, reader: rows.get(name).reader, style: `rs-s${place}`, curves: kept.get(name),
  }));
  parts.curves.replaceChildren(
    make("h2", { textContent: say("curves") }),
    make("ul", { className: "rs-legend-list" }, models.map((one) => make("li", {}, [swatch(one.style), one.label]))),
    make("p", { className: "ax-muted", textContent: say("how") }),
    curves(models, { say, open: cases.cases }),
  );
}

function swatch(style) {
  const mark = make("span", { className: "rs-swatch" });
  mark.innerHTML = `<svg viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4H28" class="rs-line ${style}"/></svg>`;
  return mark;
}

async function drawGallery(model) {
  const select = make("select", { id: "rs-gallery-model", onchange: () => fill(select.value) });
  select.append(...metrics.models.filter((one) => !one.reader).map((one) => make("option", { value: one.model, textContent: one.label })));
  select.value = model;
  const content = make("div");
  async function fill(name) {
    try {
      content.replaceChildren(...await cases.gallery(name));
    } catch (error) {
      content.replaceChildren(make("p", { className: "fault", role: "alert", textContent: error.message }));
    }
  }
  parts.gallery.replaceChildren(
    make("h2", { textContent: say("gallery") }),
    make("div", { className: "ax-row" }, [make("label", { htmlFor: select.id, textContent: say("of_model") }), select]),
    make("p", { className: "ax-muted", textContent: say("about_gallery") }), content,
  );
  await fill(model);
}

function drawFlow({ flow, figures }) {
  if (!flow.length) {
    parts.flow.replaceChildren();
    return;
  }
  const titles = ["step", "patients", "positive", "negative"];
  const table = make("table", { className: "rs-table" }, [
    make("thead", {}, [make("tr", {}, titles.map((word) => make("th", { scope: "col", textContent: say(word) })))]),
    make("tbody", {}, flow.map((step) => make("tr", { className: step.part ? "rs-part" : "" }, [
      make("th", { scope: "row", textContent: step.label }), make("td", { textContent: step.count }),
      make("td", { textContent: step.positive ?? "" }), make("td", { textContent: step.negative ?? "" }),
    ]))),
  ]);
  const image = figures.includes("inclusion_flow.svg")
    ? [make("img", { className: "rs-flow", src: "/api/results/figures/inclusion_flow.svg", alt: say("flow_alt") })] : [];
  parts.flow.replaceChildren(make("h2", { textContent: say("flow") }), make("div", { className: "rs-flow-pair" }, [...image, table]));
}

function drawFiles({ files, figures }) {
  const link = (path, name) => make("li", {}, [make("a", { href: path, textContent: name, ...(name.endsWith(".html") ? { target: "_blank", rel: "noopener" } : {}) })]);
  parts.files.replaceChildren(
    make("h2", { textContent: say("files") }),
    make("ul", { className: "rs-files" }, files.map((name) => link(`/api/results/files/${name}`, name))),
    make("details", {}, [make("summary", { textContent: say("figures", { count: figures.length }) }),
      make("ul", { className: "rs-files" }, figures.map((name) => link(`/api/results/figures/${name}`, name)))]),
  );
}

load();
