// What the bundle says of a case: on the screen, and as one printed page.

import { ask, make } from "./dom.js";

const METRICS = [
  "auc", "recall", "specificity", "precision", "npv", "accuracy", "brier", "calibration_slope", "calibration_intercept",
];
const OPACITY = "60";

export function showResult(host, result, context, { kept, onSaved }) {
  const { say, language } = context;
  const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const decimal = new Intl.NumberFormat(language, { minimumFractionDigits: 3, maximumFractionDigits: 3 });
  const date = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const page = { ...context, percent, decimal, date, result };
  const parts = [
    sheetHead(page), verdict(page), warnings(page), heatmaps(page),
    make("div", { className: "pr-two" }, [inputs(page), familiarity(page)]),
    performance(page), attention(page), sheetFoot(page), actions(page, kept, onSaved),
  ];
  host.replaceChildren(...parts.filter(Boolean));
}

const section = (name, title, children) => make("section", { className: `pr-part ${name}` }, [
  make("h2", { textContent: title }), ...children,
]);

function sheetHead({ say, date, result }) {
  return make("header", { className: "pr-sheet" }, [
    make("h1", { textContent: `axilla · ${say("sheet")}` }),
    make("p", { textContent: date.format(new Date(1000 * result.made_at)) }),
    make("p", { className: "pr-notice", textContent: result.notice }),
  ]);
}

function verdict({ say, percent, result }) {
  const probability = percent.format(result.probability);
  const threshold = percent.format(result.threshold);
  const [rule, share] = result.threshold_rule.split("=");
  const goal = { outcome: result.outcome, positive: result.positive };
  return section("pr-verdict", say("result"), [
    make("p", { className: "pr-goal", textContent: say("probability", goal) }),
    make("p", { className: "pr-number", textContent: probability }),
    make("div", {
      className: "pr-bar", role: "img", "aria-label": say("bar", { probability, threshold }),
    }, [
      make("span", { className: `pr-fill pr-${result.call}`, style: `width:${100 * result.probability}%` }),
      make("span", { className: "pr-mark", style: `left:${100 * Math.min(1, result.threshold)}%` }),
    ]),
    make("p", { className: "pr-call" }, [
      make("strong", { textContent: say(`call_${result.call}`, { threshold }) }),
      ` ${say("rule", { rule: say(`rule_${rule}`, { share: share ?? "" }) })}`,
    ]),
    make("p", {
      textContent: say("risk", {
        ...goal, level: say(`level_${result.risk.level}`), per_100: result.risk.per_100,
        training: result.risk.training_per_100,
      }),
    }),
    make("p", {
      className: "ax-muted pr-small",
      textContent: [
        result.risk.recalibration === "none" ? say("uncalibrated") : say("calibrated", { kind: result.risk.recalibration }),
        say("words_scale"),
      ].join(" "),
    }),
  ]);
}

// A warning is said again from what it is made of, if its sentence is known in the page's language.
function inWords(say, text, { template, values } = { template: text }) {
  if (say(template) === template) return text;
  return say(template, values.modality ? { ...values, modality: say(values.modality) } : values);
}

function warnings({ say, result }) {
  const children = result.warnings.length
    ? [make("ul", { className: "note pr-warnings" }, result.warnings.map((text, place) => make("li", { textContent: inWords(say, text, result.cautions[place]) })))]
    : [make("p", { className: "ax-muted", textContent: say("no_warnings") })];
  return section("", say("warnings"), children);
}

function heatmaps({ say, percent, result }) {
  if (!result.heatmaps.length) return null;
  const figures = make("div", { className: "pr-figures" }, result.heatmaps.map((one) => {
    const [left, top, width, height] = one.box_percent;
    const modality = say(`of_${one.modality}`);
    const several = one.share < 0.9995 ? ` · ${say("map_share", { share: percent.format(one.share) })}` : "";
    return make("figure", {}, [
      make("div", { className: "pr-laid", style: `--ratio:${one.width_px / one.height_px}` }, [
        make("img", { src: `data:image/png;base64,${one.image_png}`, alt: say("image_of", { modality }) }),
        make("img", {
          className: "pr-map", src: `data:image/png;base64,${one.map_png}`,
          alt: say("map_of", { modality, method: one.method }),
          style: `left:${left}%;top:${top}%;width:${width}%;height:${height}%`,
        }),
      ]),
      make("figcaption", { textContent: `${say("map_of", { modality, method: one.method })}${several}` }),
    ]);
  }));
  const slider = make("input", {
    type: "range", min: "0", max: "100", step: "5", value: OPACITY,
    oninput: () => figures.style.setProperty("--opacity", String(slider.value / 100)),
  });
  figures.style.setProperty("--opacity", String(OPACITY / 100));
  return section("pr-heat", say("heatmaps"), [
    make("label", { className: "pr-slider" }, [make("span", { textContent: say("opacity") }), slider]),
    figures,
    make("p", { className: "pr-legend" }, [
      make("span", { textContent: say("against") }),
      make("span", { className: "pr-colours", "aria-hidden": "true" }),
      make("span", { textContent: say("for", { positive: `${result.outcome} = ${result.positive}` }) }),
    ]),
    make("p", {
      className: "ax-muted pr-small",
      textContent: `${say(result.heatmaps.every((one) => one.scale_shared) ? "scale_shared" : "scale_own")} ${say("map_caution")}`,
    }),
  ]);
}

function inputs({ say, percent, bundle, result }) {
  const rows = bundle.modalities.map(({ modality }) => [
    say(modality),
    modality in result.by_modality
      ? say("alone", { probability: percent.format(result.by_modality[modality]) }) : say("missing"),
  ]);
  return section("", say("used"), [
    make("dl", { className: "pr-list" }, rows.flatMap(([name, said]) => [
      make("dt", { textContent: name }), make("dd", { textContent: said }),
    ])),
    make("p", { className: "ax-muted pr-small", textContent: say("together", { model: result.model }) }),
  ]);
}

function familiarity({ say, percent, result }) {
  const said = (modality) => {
    const found = result.familiarity[modality];
    if (!found) return say("not_measured");
    return say(found.unfamiliar ? "unfamiliar" : "familiar", { share: percent.format(found.p), n: found.patients });
  };
  return section("", say("familiarity"), [
    make("dl", { className: "pr-list" }, result.used.flatMap((modality) => [
      make("dt", { textContent: say(modality) }),
      make("dd", { className: result.familiarity[modality]?.unfamiliar ? "pr-odd" : "", textContent: said(modality) }),
    ])),
  ]);
}

function performance({ say, decimal, result }) {
  const rows = METRICS.map((name) => result.performance.find((one) => one.metric === name)).filter(Boolean);
  if (!rows.length) return section("", say("performance"), [make("p", { textContent: say("no_performance") })]);
  const head = ["measure", "value", "interval", "patients", "method"];
  return section("pr-performance", say("performance"), [
    make("div", { className: "pr-scroll", tabIndex: 0, role: "region", "aria-label": say("performance") }, [
      make("table", {}, [
        make("thead", {}, [make("tr", {}, head.map((one) => make("th", { scope: "col", textContent: say(one) })))]),
        make("tbody", {}, rows.map((one) => make("tr", {}, [
          make("th", { scope: "row", textContent: say(`metric_${one.metric}`) }),
          make("td", { textContent: decimal.format(one.value) }),
          make("td", {
            textContent: one.low === null || one.high === null
              ? say("no_interval") : `${decimal.format(one.low)} – ${decimal.format(one.high)}`,
          }),
          make("td", { textContent: String(one.n) }),
          make("td", { className: "pr-method", textContent: one.method }),
        ]))),
      ]),
    ]),
    make("p", { className: "ax-muted pr-small", textContent: result.performance_note }),
  ]);
}

function attention({ say, percent, result }) {
  const several = Object.entries(result.attention).filter(([, shares]) => shares.length > 1);
  if (!several.length) return null;
  return section("pr-attention", say("attention"), several.map(([modality, shares]) => {
    const most = shares.toSorted((a, b) => b.share - a.share).slice(0, 8);
    return make("p", {
      textContent: `${say(modality)}: ${most.map((one) => `${one.image}${one.tile ? ` [${one.tile.join(", ")}]` : ""} ${percent.format(one.share)}`).join("; ")}`,
    });
  }));
}

function sheetFoot({ say, bundle, version, result }) {
  return make("footer", { className: "pr-sheet pr-small" }, [
    make("p", {
      textContent: `${say("study")}: ${result.study} · ${say("bundle")}: ${bundle.name}, ${say("digest")} ${result.digest} · ${say("software")}: axilla ${version}`,
    }),
  ]);
}

function actions({ say, result }, kept, onSaved) {
  const file = new Blob([JSON.stringify(result, null, 2)], { type: "application/json" });
  const name = make("input", { type: "text", maxLength: 80, autocomplete: "off" });
  const status = make("p", { role: "status", className: "pr-status" });
  const save = make("button", { type: "button", className: "ax-button", textContent: say("save"), onclick: keep });
  async function keep() {
    save.disabled = true;
    try {
      await ask("/api/predictions", { method: "POST", body: { key: result.key, name: name.value } });
      status.className = "note";
      status.textContent = say("save_told");
      await onSaved();
    } catch (error) {
      save.disabled = false;
      status.className = "fault";
      status.textContent = error.message;
    }
  }
  return make("div", { className: "pr-actions" }, [
    make("div", { className: "ax-row" }, [
      make("button", { type: "button", className: "ax-quiet", textContent: say("print"), onclick: () => window.print() }),
      make("button", {
        type: "button", className: "ax-quiet", textContent: say("download"),
        onclick: () => {
          const href = URL.createObjectURL(file);
          make("a", { href, download: "prediction.json" }).click();
          URL.revokeObjectURL(href);
        },
      }),
    ]),
    kept ? null : make("div", { className: "ax-row" }, [
      make("label", { className: "pr-save" }, [make("span", { textContent: say("save_name") }), name]), save,
    ]),
    status,
  ]);
}
