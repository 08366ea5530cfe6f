// Agreement and comparisons as tables; every estimate with its interval.
import { make } from "./dom.js";

const ALL = "all criteria";
const number = (value, digits = 2) => (value === null || value === undefined ? "–" : value.toFixed(digits).replace(/^-(?=0\.?0*$)/, "").replace("-", "−"));
const interval = (row, name, say) => {
  if (!row || row[name] === null) return "–";
  return row.low === null ? number(row[name]) : `${number(row[name])} (${say("to", { low: number(row.low), high: number(row.high) })})`;
};
const pValue = (p) => (p === null || p === undefined ? "" : p < 0.001 ? "< 0.001" : p.toFixed(3));

function table(titles, rows, label, figures) {
  return make("div", { className: "sc-scroll", tabIndex: 0, role: "region", "aria-label": label }, [
    make("table", { className: "sc-table" }, [
      make("thead", {}, [make("tr", {}, titles.map((title) => make("th", { scope: "col", textContent: title })))]),
      make("tbody", {}, rows.map(({ cells, whole }) => make("tr", { className: whole ? "sc-whole" : "" },
        cells.map((cell, place) => make("td", { textContent: cell, className: place >= figures ? "sc-figure" : "" }))))),
    ]),
  ]);
}

function agreementRows(rows, say) {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.modality, row.criterion, row.question]);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => {
    const [{ modality, criterion, question }] = group;
    const of = (measure) => group.find((row) => row.measure === measure);
    const shares = group.filter((row) => row.measure === "prevalence")
      .map((row) => `${row.reader} ${Math.round(row.value * 100)} %`).join(", ");
    return { whole: criterion === ALL, cells: [
      say(modality), criterion === ALL ? say(ALL) : criterion, say(question), String(of("kappa")?.n ?? ""), shares,
      interval(of("percent agreement"), "value", say), interval(of("kappa"), "value", say), interval(of("AC1"), "value", say),
    ] };
  });
}

function comparisonRows(rows, say) {
  return rows.map((row) => ({ whole: row.criterion === ALL && !row.reader, cells: [
    say(row.comparison) + (row.reader ? `, ${row.reader}` : ""), say(row.modality),
    row.criterion === ALL ? say(ALL) : row.criterion, interval(row, "estimate", say), pValue(row.p), pValue(row.p_holm),
    String(row.n_cases ?? ""),
  ] }));
}

export function scoreTables(found, say) {
  const agreement = ["modality", "criterion", "question", "n", "yes_by", "same", "kappa", "ac1"].map((word) => say(word));
  const comparison = ["compared", "modality", "criterion", "estimate", "p", "p_holm", "n_cases"].map((word) => say(word));
  const compared = comparisonRows(found.comparison, say);
  const problems = [...found.faults, ...found.missing];
  return [
    make("p", { textContent: say("basis", { ...found, readers: found.readers.length, right: found.model_right, known: found.model_known }) }),
    make("h3", { textContent: say("agreement") }),
    make("p", { className: "ax-muted", textContent: say("about_agreement") }),
    table(agreement, agreementRows(found.agreement, say), say("agreement"), 3),
    make("h3", { textContent: say("comparison") }),
    make("p", { className: "ax-muted", textContent: say("about_comparison") }),
    table(comparison, compared.filter((row) => row.whole), say("comparison"), 3),
    make("details", {}, [
      make("summary", { textContent: say("by_criterion") }),
      table(comparison, compared.filter((row) => !row.whole), say("by_criterion"), 3),
    ]),
    ...(problems.length ? [make("h3", { textContent: say("faults") }),
      make("ul", {}, problems.map((text) => make("li", { textContent: text })))] : []),
  ];
}
