// The drawer: the cases behind a point, one case with its images, and the gallery of failures.
import { ask, make } from "./dom.js";
import { number } from "./results_words.js";

const CELLS = ["fp", "fn", "tp", "tn"];
const PAGE = 60;
const picture = (kind, modality, patient) => `/api/results/pictures/${kind}/${modality}?patient=${encodeURIComponent(patient)}`;

export function drawer(say) {
  const title = make("h2", { id: "rs-drawer-title" });
  const content = make("div", { className: "rs-drawer-content" });
  const close = make("button", { type: "button", className: "ax-quiet", textContent: say("close"), onclick: () => dialog.close() });
  const dialog = make("dialog", { className: "rs-drawer" }, [make("div", { className: "rs-drawer-head" }, [title, close]), content]);
  dialog.setAttribute("aria-labelledby", "rs-drawer-title");
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  let back = null;

  async function show(heading, load) {
    title.textContent = heading;
    content.replaceChildren(make("p", { className: "ax-muted", textContent: say("loading") }));
    if (!dialog.open) dialog.showModal();
    try {
      content.replaceChildren(...await load());
    } catch (error) {
      content.replaceChildren(make("p", { className: "fault", role: "alert", textContent: error.message }));
    }
    content.scrollTop = 0;
  }

  function cases({ title: heading, cell = "all", ...point }) {
    back = () => cases({ title: heading, cell, ...point });
    return show(heading, async () => {
      const query = new URLSearchParams({ model: point.model, cell, most: PAGE });
      if (point.threshold !== undefined) query.set("threshold", String(point.threshold));
      if (point.bin !== undefined) query.set("bin", String(point.bin));
      const found = await ask(`/api/results/cases?${query}`);
      const all = CELLS.reduce((sum, name) => sum + found.counts[name], 0);
      const filter = make("div", { className: "rs-filter", role: "group", "aria-label": say("filter") }, ["all", ...CELLS].map((name) => {
        const button = make("button", { type: "button", className: "ax-quiet", textContent: `${say(name)} ${name === "all" ? all : found.counts[name]}` });
        button.setAttribute("aria-pressed", String(name === cell));
        button.dataset.cell = name;
        button.addEventListener("click", () => cases({ title: heading, cell: name, ...point }));
        return button;
      }));
      const rows = make("tbody", {}, found.cases.map((one) => caseRow(one, found.modalities)));
      const more = make("button", { type: "button", className: "ax-quiet", textContent: say("more_cases") });
      more.hidden = found.total <= rows.children.length;
      more.addEventListener("click", async () => {
        query.set("offset", String(rows.children.length));
        const next = await ask(`/api/results/cases?${query}`);
        rows.append(...next.cases.map((one) => caseRow(one, found.modalities)));
        more.hidden = found.total <= rows.children.length;
      });
      const titles = ["patient", "truth", "probability", "threshold", "call", "images"];
      return [filter, make("table", { className: "rs-table rs-cases" }, [
        make("thead", {}, [make("tr", {}, titles.map((word) => make("th", { scope: "col", textContent: say(word) })))]), rows,
      ]), more];
    });
  }

  function caseRow(one, modalities) {
    return make("tr", {}, [
      make("th", { scope: "row" }, [link(one.patient_id)]),
      make("td", { textContent: say(one.positive ? "positive" : "negative") }),
      make("td", { textContent: number(one.probability) }),
      make("td", { textContent: number(one.threshold) }),
      make("td", {}, [make("span", { className: `rs-cell rs-${one.cell}`, textContent: say(one.cell) })]),
      make("td", {}, [thumbnails(one.patient_id, modalities)]),
    ]);
  }

  const link = (patient) => make("button", { type: "button", className: "rs-link", textContent: patient, onclick: () => patientOf(patient) });

  function patientOf(patient) {
    const before = dialog.open ? back : null;
    return show(say("one_patient", { patient }), async () => {
      const found = await ask(`/api/results/cases/${encodeURIComponent(patient)}`);
      const said = found.said.map((one) => make("tr", {}, [
        make("th", { scope: "row", textContent: one.label }),
        make("td", { textContent: one.reader ? "" : number(one.probability) }),
        make("td", { textContent: one.reader ? "" : number(one.threshold) }),
        make("td", {}, [make("span", {
          className: `rs-cell ${one.called === found.positive ? "rs-tp" : "rs-fp"}`,
          textContent: say(one.called ? "positive" : "negative"),
        })]),
      ]));
      return [
        ...(before ? [make("button", { type: "button", className: "ax-quiet", textContent: say("back"), onclick: before })] : []),
        make("p", { textContent: say("truth_is", { truth: say(found.positive ? "positive" : "negative") }) }),
        ...found.pictures.map((one) => views(patient, one)),
        make("table", { className: "rs-table" }, [
          make("thead", {}, [make("tr", {}, ["model", "probability", "threshold", "call"].map((word) => make("th", { scope: "col", textContent: say(word) })))]),
          make("tbody", {}, said),
        ]),
      ];
    });
  }

  function views(patient, { modality, images, heatmap }) {
    const kinds = heatmap ? ["image", "heatmap"] : ["thumbnail"];
    return make("figure", { className: "rs-views" }, [
      make("figcaption", { textContent: images > 1 ? say("of_images", { modality: say(modality), images }) : say(modality) }),
      make("div", {}, kinds.map((kind) => image(picture(kind, modality, patient), `${say(modality)}, ${say(kind)}, ${patient}`))),
      ...(heatmap ? [make("p", { className: "rs-legend ax-muted" }, [make("i", { className: "rs-for" }), say("speaks_for"), make("i", { className: "rs-against" }), say("speaks_against")])] : []),
    ]);
  }

  const image = (src, alt) => {
    const element = make("img", { alt, loading: "lazy", decoding: "async" });
    element.addEventListener("error", () => element.replaceWith(make("span", { className: "ax-muted rs-gone", textContent: say("no_image") })));
    element.src = src;
    return element;
  };

  const thumbnails = (patient, modalities) => make("span", { className: "rs-thumbs" }, modalities.map((modality) => (
    image(picture("thumbnail", modality, patient), `${say(modality)}, ${patient}`))));

  async function gallery(model) {
    const found = await ask(`/api/results/gallery?model=${encodeURIComponent(model)}&most=8`);
    return found.kinds.flatMap((kind) => [
      make("h3", { textContent: say("kind_of", { kind: say(`${kind.cell}_many`), shown: kind.cases.length, of: kind.of }) }),
      make("ul", { className: "rs-gallery" }, kind.cases.map((one) => make("li", { className: "ax-card" }, [
        thumbnails(one.patient_id, found.modalities),
        make("p", {}, [link(one.patient_id), ` ${say("said", { probability: number(one.probability), threshold: number(one.threshold) })}`]),
        make("p", { className: "ax-muted" }, [one.others.map((other) => (other.reader
          ? `${other.label}: ${say(other.called ? "positive" : "negative")}` : `${other.label}: ${number(other.probability)}`)).join("; ")]),
      ]))),
    ]);
  }

  return { dialog, cases, patient: patientOf, gallery };
}
