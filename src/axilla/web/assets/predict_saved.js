// The predictions that were saved: one's own, and for a lead those of everybody.

import { ask, make } from "./dom.js";

export function savedList({ say, language, lead }, show) {
  const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  const date = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const body = make("div", { className: "pr-scroll" });
  const element = make("section", { className: "pr-saved" }, [make("h2", { textContent: say("saved") }), body]);
  const nameOf = (one) => one.name || say("number", { n: one.id });

  async function refresh() {
    try {
      draw(await ask("/api/predictions"));
    } catch (error) {
      body.replaceChildren(make("p", { className: "fault", role: "alert", textContent: error.message }));
    }
  }

  async function doing(work) {
    try {
      await work();
    } catch (error) {
      body.prepend(make("p", { className: "fault", role: "alert", textContent: error.message }));
    }
  }

  function draw(saved) {
    if (!saved.length) {
      body.replaceChildren(make("p", { className: "ax-muted", textContent: say("none_saved") }));
      return;
    }
    const head = ["name", "made", "probability_short", "call", ...(lead ? ["owner"] : [])];
    body.replaceChildren(make("table", {}, [
      make("thead", {}, [make("tr", {}, [
        ...head.map((one) => make("th", { scope: "col", textContent: say(one) })), make("td"),
      ])]),
      make("tbody", {}, saved.map((one) => make("tr", {}, [
        make("th", { scope: "row", textContent: nameOf(one) }),
        make("td", { textContent: date.format(new Date(1000 * one.made_at)) }),
        make("td", { textContent: percent.format(one.probability) }),
        make("td", { textContent: say(one.call) }),
        lead ? make("td", { textContent: one.owner }) : null,
        make("td", { className: "ax-row" }, [
          button("show_short", "show", one, () => doing(async () => show(await ask(`/api/predictions/${one.id}`)))),
          make("a", {
            href: `/api/predictions/${one.id}`, download: `prediction-${one.id}.json`, textContent: "JSON",
            "aria-label": `${say("download")}: ${nameOf(one)}`,
          }),
          button("delete_short", "delete", one, () => doing(async () => {
            if (!window.confirm(say("really"))) return;
            await ask(`/api/predictions/${one.id}`, { method: "DELETE" });
            await refresh();
          })),
        ]),
      ]))),
    ]));
  }

  function button(text, label, one, act) {
    return make("button", {
      type: "button", className: "ax-quiet", textContent: say(text), onclick: act,
      "aria-label": say(label, { name: nameOf(one) }),
    });
  }

  return { element, refresh };
}
