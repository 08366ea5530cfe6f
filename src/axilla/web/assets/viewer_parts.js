// What the viewer consists of: the bar, the stage with the image, and the rectangles drawn over it.

import { make } from "./dom.js";
import { clamp } from "./viewer_rectangle.js";

const SVG = "http://www.w3.org/2000/svg";
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const TOUCH_PX = 26;
const SHOWN_PX = 10;

function draw(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

// `act` has zoom(factor), fit(), pan(), undo(), look(name, value) and reset().
export function createParts(words, looks, act) {
  const button = (text, onclick, more = {}) => make("button", { type: "button", class: "ax-quiet", text, onclick, ...more });
  const sign = (text, label, onclick) => button(text, onclick, { "aria-label": label, title: label });
  const mover = button(words.move, act.pan, { "aria-pressed": "false" });
  const undoer = button(words.undo, act.undo);
  const sliders = Object.fromEntries(Object.entries(looks).map(([name, value]) => [name, make("input", {
    type: "range", min: "20", max: "300", step: "5", value: String(value),
    oninput: (event) => act.look(name, Number(event.target.value)),
  })]));
  const bar = make("div", { class: "vw-bar", role: "group", "aria-label": words.canvas },
    sign("−", words.zoomOut, () => act.zoom(1 / 1.25)), sign("+", words.zoomIn, () => act.zoom(1.25)),
    sign(words.fit, words.fit, act.fit), mover, undoer,
    Object.entries(sliders).map(([name, slider]) => make("label", { class: "vw-slider" }, make("span", { text: words[name] }), slider)),
    button(words.reset, act.reset));

  const help = make("p", { class: "vw-unseen", text: words.keys, id: `vw-${crypto.randomUUID?.() ?? Math.random()}` });
  const img = make("img", { class: "vw-img", alt: "", draggable: false });
  const fault = make("p", { class: "vw-fault fault", role: "alert", hidden: true });
  const stage = make("div", {
    class: "vw-stage", tabindex: "0", role: "application", "aria-label": words.canvas, "aria-describedby": help.id,
  }, img);
  const over = createOver(stage);
  stage.append(fault);
  const size = make("p", { class: "vw-size", text: words.none });
  const live = make("p", { class: "vw-unseen", role: "status", "aria-live": "polite" });
  const root = make("div", { class: "vw" }, bar, stage, help, size, live);
  return { root, stage, img, over, fault, size, live, mover, undoer, sliders };
}

// The rectangles, the handles and the crosshair, in px of the stage.
function createOver(stage) {
  const svg = draw("svg", { class: "vw-over", "aria-hidden": "true" }, stage);
  const cross = [0, 1].map(() => draw("line", { class: "vw-cross", visibility: "hidden" }, svg));
  const [second, first] = ["vw-second", "vw-first"].map((name) => {
    const group = draw("g", { class: name, visibility: "hidden" }, svg);
    return { group, lines: ["vw-under", "vw-line"].map((line) => draw("rect", { class: line }, group)) };
  });
  const handles = Object.fromEntries(HANDLES.map((name) => {
    const group = draw("g", { class: `vw-handle vw-${name}`, "data-handle": name }, svg);
    for (const [kind, px] of [["vw-touch", TOUCH_PX], ["vw-grip", SHOWN_PX]]) {
      draw("rect", { class: kind, width: px, height: px, x: -px / 2, y: -px / 2 }, group);
    }
    return [name, group];
  }));
  const shown = (element, on) => element.setAttribute("visibility", on ? "visible" : "hidden");

  function place({ group, lines }, box) {
    shown(group, box);
    for (const line of lines) {
      for (const [name, value] of Object.entries(box ?? {})) line.setAttribute(name, value);
    }
  }

  function grip(name, box) {
    const group = handles[name];
    shown(group, box);
    if (!box) return;
    // Around a small rectangle the handles step outside, so that its middle stays free to move.
    const out = { x: clamp((3 * TOUCH_PX - box.width) / 4, 0, TOUCH_PX / 2), y: clamp((3 * TOUCH_PX - box.height) / 4, 0, TOUCH_PX / 2) };
    const x = name.includes("w") ? box.x - out.x : name.includes("e") ? box.x + box.width + out.x : box.x + box.width / 2;
    const y = name.includes("n") ? box.y - out.y : name.includes("s") ? box.y + box.height + out.y : box.y + box.height / 2;
    group.setAttribute("transform", `translate(${x} ${y})`);
  }

  return {
    // Each is a box {x, y, width, height} or null.
    draw({ roi, other, grips }) {
      place(second, other);
      place(first, roi);
      for (const name of HANDLES) grip(name, grips);
    },
    crosshair(point) {
      const ends = point && [[0, point.y, stage.clientWidth, point.y], [point.x, 0, point.x, stage.clientHeight]];
      cross.forEach((line, n) => {
        shown(line, point);
        if (ends) ["x1", "y1", "x2", "y2"].forEach((name, k) => line.setAttribute(name, ends[n][k]));
      });
    },
  };
}
