// The sortable table of metrics; what is ticked is drawn below.
import { make } from "./dom.js";
import { bounds, number } from "./results_words.js";

const COLUMNS = ["auc", "recall", "specificity", "precision", "npv", "accuracy", "f1", "brier"];
const BETTER_LOW = new Set(["brier"]);

export function metricsTable(models, { say, chosen, most, choose }) {
  let sorted = { by: "auc", down: true };
  let family = "";
  const ticked = new Set(chosen);
  const order = [...chosen];
  const body = make("tbody");
  const head = make("tr");
  const families = [...new Map(models.map((one) => [one.family, one.family_title]))];
  const filter = make("select", { id: "rs-family", onchange: () => { family = filter.value; rows(); } });
  filter.append(make("option", { value: "", textContent: say("all_families") }),
    ...families.map(([key, title]) => make("option", { value: key, textContent: title })));

  function title(name, word, numeric) {
    const button = make("button", { type: "button", className: "rs-sort", textContent: word, onclick: () => {
      sorted = sorted.by === name ? { by: name, down: !sorted.down } : { by: name, down: numeric && !BETTER_LOW.has(name) };
      heads();
      rows();
    } });
    const cell = make("th", { scope: "col", className: numeric ? "rs-figure-cell" : "" }, [button]);
    const way = sorted.by === name ? (sorted.down ? "descending" : "ascending") : "none";
    cell.setAttribute("aria-sort", way);
    return cell;
  }

  function heads() {
    const focused = document.activeElement?.classList.contains("rs-sort") ? document.activeElement.textContent : null;
    head.replaceChildren(make("th", { scope: "col", textContent: say("draw") }), title("label", say("model"), false), title("family", say("family"), false),
      ...COLUMNS.map((name) => title(name, say(`metric_${name}`), true)), title("n", say("n"), true));
    if (focused) [...head.querySelectorAll("button")].find((one) => one.textContent === focused)?.focus();
  }

  const value = (one) => {
    if (sorted.by === "label") return one.label;
    if (sorted.by === "family") return one.family_title;
    return sorted.by === "n" ? one.n : one.metrics[sorted.by]?.value ?? null;
  };

  function compare(one, other) {
    const [a, b] = [value(one), value(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    const less = typeof a === "string" ? a.localeCompare(b) : a - b;
    return sorted.down ? -less : less;
  }

  function rows() {
    const shown = models.filter((one) => !family || one.family === family).sort(compare);
    body.replaceChildren(...shown.map(row));
  }

  function row(one) {
    const box = make("input", { type: "checkbox", checked: ticked.has(one.model) });
    box.setAttribute("aria-label", say("draw_model", { model: one.label }));
    box.addEventListener("change", () => {
      if (box.checked && ticked.size >= most) {
        box.checked = false;
        note.textContent = say("most_models", { most });
        return;
      }
      note.textContent = "";
      if (box.checked) order.push(one.model);
      else order.splice(order.indexOf(one.model), 1);
      ticked[box.checked ? "add" : "delete"](one.model);
      choose([...order]);
    });
    const classes = [one.trivial && "rs-trivial", one.reader && "rs-reader"].filter(Boolean).join(" ");
    return make("tr", { className: classes, "data-model": one.model }, [
      make("td", { className: "rs-tick-cell" }, [box]),
      make("th", { scope: "row", textContent: one.label }),
      make("td", { textContent: one.family_title }),
      ...COLUMNS.map((name) => figure(one.metrics[name], name)),
      make("td", { className: "rs-figure-cell", textContent: `${one.n} (${one.n_positive})` }),
    ]);
  }

  function figure(found, name) {
    const cell = make("td", { className: "rs-figure-cell", "data-metric": name });
    if (!found || found.value === null) {
      cell.textContent = "–";
      return cell;
    }
    cell.title = found.method;
    cell.append(make("span", { textContent: number(found.value) }), make("small", { textContent: bounds(found, say) }));
    return cell;
  }

  const note = make("span", { className: "note rs-note", role: "status" });
  heads();
  rows();
  return make("div", {}, [
    make("div", { className: "ax-row rs-tools" }, [make("label", { htmlFor: filter.id, textContent: say("show") }), filter, note]),
    make("div", { className: "rs-scroll", tabIndex: 0, role: "region", "aria-label": say("metrics") }, [
      make("table", { className: "rs-table rs-metrics" }, [make("thead", {}, [head]), body])]),
    make("p", { className: "ax-muted rs-small", textContent: say("about_metrics") }),
  ]);
}
