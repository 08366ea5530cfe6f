// ROC, calibration and decision curve of the chosen models; each also as a table.
import { make } from "./dom.js";
import { chart } from "./results_chart.js";
import { interval, number } from "./results_words.js";

const MOST_ROWS = 400;

export function curves(models, { say, open }) {
  return make("div", { className: "rs-charts" }, [
    roc(models, say, open), calibration(models, say, open), decision(models, say, open),
  ]);
}

function figure(title, about, content, titles, rows, say) {
  const table = make("details", {}, [make("summary", { textContent: say("as_table") })]);
  table.addEventListener("toggle", () => {
    if (!table.open || table.children.length > 1) return;
    table.append(make("div", { className: "rs-scroll", tabIndex: 0, role: "region", "aria-label": `${title}: ${say("as_table")}` }, [
      make("table", { className: "rs-table" }, [
        make("thead", {}, [make("tr", {}, titles.map((word) => make("th", { scope: "col", textContent: say(word) })))]),
        make("tbody", {}, rows().slice(0, MOST_ROWS * 6).map((cells) => make("tr", {}, cells.map((cell) => make("td", { textContent: cell }))))),
      ])]));
  });
  return make("figure", { className: "ax-card rs-figure" }, [
    make("figcaption", {}, [make("h3", { textContent: title }), make("p", { className: "ax-muted", textContent: about })]), content, table,
  ]);
}

function roc(models, say, open) {
  const series = models.map((one) => {
    const { n_positive: positive, n } = one.curves;
    const points = one.curves.roc.filter((point) => point.threshold !== null).map((point) => ({
      x: point.false_positive_rate, y: point.sensitivity,
      text: say("roc_point", {
        threshold: number(point.threshold), sensitivity: number(point.sensitivity),
        specificity: number(1 - point.false_positive_rate),
        called: Math.round(point.sensitivity * positive + point.false_positive_rate * (n - positive)), n,
      }),
      open: () => open({ model: one.model, threshold: point.threshold, title: say("called_at", { model: one.label, threshold: number(point.threshold) }) }),
    }));
    const { sensitivity, specificity } = one.curves.operating;
    if (sensitivity !== null && specificity !== null) {
      points.push({
        x: 1 - specificity, y: sensitivity, mark: true,
        text: say("operating_point", { sensitivity: number(sensitivity), specificity: number(specificity), n }),
        open: () => open({ model: one.model, title: say("called_by_fold", { model: one.label }) }),
      });
    }
    const line = one.curves.roc.map((point) => ({ x: point.false_positive_rate, y: point.sensitivity }));
    return { ...one, line: one.reader ? [] : line, points: one.reader ? points.slice(-1) : points };
  });
  const rows = () => models.flatMap((one) => one.curves.roc.map((point) => [
    one.label, number(point.threshold), number(point.sensitivity), number(1 - point.false_positive_rate)]));
  return figure(say("roc"), say("about_roc"),
    chart({ title: say("roc"), xLabel: say("false_positive_rate"), yLabel: say("sensitivity"), x: [0, 1], y: [0, 1], series, diagonal: true, say }),
    ["model", "threshold", "sensitivity", "specificity"], rows, say);
}

function calibration(models, say, open) {
  const shown = models.filter((one) => one.curves.bins.length);
  const series = shown.map((one, place) => ({
    ...one, quiet: place > 0,
    line: one.curves.smooth.map((point) => ({ x: point.predicted, y: point.observed })),
    band: place ? [] : one.curves.smooth.filter((point) => point.low !== null).map((point) => ({ x: point.predicted, ...point })),
    points: one.curves.bins.map((bin) => ({
      x: bin.predicted, y: bin.observed, low: bin.low, high: bin.high, mark: true,
      text: say("bin_point", { predicted: number(bin.predicted), observed: interval({ ...bin, value: bin.observed }, say), n: bin.n }),
      open: () => open({ model: one.model, bin: bin.bin, title: say("in_bin", { model: one.label, bin: bin.bin + 1 }) }),
    })),
  }));
  const told = shown.map((one) => say("slope", { model: one.label, slope: interval(one.curves.slope, say), intercept: interval(one.curves.intercept, say) }));
  const rows = () => shown.flatMap((one) => one.curves.bins.map((bin) => [
    one.label, String(bin.bin + 1), number(bin.predicted), interval({ ...bin, value: bin.observed }, say), String(bin.n)]));
  return figure(say("calibration"), told[0] ?? say("no_curve"),
    chart({ title: say("calibration"), xLabel: say("predicted"), yLabel: say("observed"), x: [0, 1], y: [0, 1], series, diagonal: true, say }),
    ["model", "bin", "predicted", "observed", "n"], rows, say);
}

function decision(models, say, open) {
  const shown = models.filter((one) => one.curves.decision.length);
  const series = shown.map((one, place) => ({
    ...one,
    line: one.curves.decision.map((point) => ({ x: point.threshold, y: point.net_benefit })),
    band: place ? [] : one.curves.decision.filter((point) => point.low !== null).map((point) => ({ x: point.threshold, ...point })),
    points: one.curves.decision.map((point) => ({
      x: point.threshold, y: point.net_benefit,
      text: say("decision_point", {
        threshold: number(point.threshold, 2), benefit: interval({ ...point, value: point.net_benefit }, say), all: number(point.treat_all),
      }),
      open: () => open({ model: one.model, threshold: point.threshold, title: say("called_at", { model: one.label, threshold: number(point.threshold, 2) }) }),
    })),
  }));
  const first = shown[0]?.curves.decision ?? [];
  if (first.length) {
    series.push({ label: say("treat_all"), style: "rs-plain", points: [], line: first.map((point) => ({ x: point.threshold, y: point.treat_all })) });
  }
  const highest = Math.max(0.1, ...shown.flatMap((one) => one.curves.decision.map((point) => point.net_benefit)));
  const range = first.length ? [first[0].threshold, first[first.length - 1].threshold] : [0, 1];
  const rows = () => shown.flatMap((one) => one.curves.decision.map((point) => [
    one.label, number(point.threshold, 2), interval({ ...point, value: point.net_benefit }, say), number(point.treat_all)]));
  return figure(say("decision"), first.length ? say("about_decision") : say("no_curve"),
    chart({ title: say("decision"), xLabel: say("threshold_probability"), yLabel: say("net_benefit"), x: range, y: [-0.12 * highest, 1.08 * highest], series, say }),
    ["model", "threshold", "net_benefit", "treat_all"], rows, say);
}
