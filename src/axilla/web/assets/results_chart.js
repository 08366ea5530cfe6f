// A chart of lines, points with intervals, and bands: by mouse, by touch, and by keyboard.
import { make } from "./dom.js";

const NS = "http://www.w3.org/2000/svg";
const [W, H, LEFT, RIGHT, TOP, FOOT] = [420, 340, 46, 10, 10, 40];
const NEAR_PX = 40;

function draw(tag, properties, children = []) {
  const element = document.createElementNS(NS, tag);
  Object.entries(properties).forEach(([name, value]) => element.setAttribute(name, value));
  element.append(...children);
  return element;
}

function ticks([low, high]) {
  const step = [0.05, 0.1, 0.2, 0.25, 0.5, 1].find((one) => (high - low) / one <= 6) ?? 1;
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, k) => (first + k) * step);
}

// series: [{key, label, style, line, points: [{x, y, low, high, text, open}], band: [{x, low, high}], quiet}]
export function chart({ title, xLabel, yLabel, x, y, series, diagonal, say }) {
  const px = (value) => LEFT + ((value - x[0]) / (x[1] - x[0])) * (W - LEFT - RIGHT);
  const py = (value) => H - FOOT - ((value - y[0]) / (y[1] - y[0])) * (H - TOP - FOOT);
  const path = (line) => line.map((one, k) => `${k ? "L" : "M"}${px(one.x).toFixed(2)} ${py(one.y).toFixed(2)}`).join("");
  const id = `clip-${title.replace(/\W/g, "")}`;
  const svg = draw("svg", { viewBox: `0 0 ${W} ${H}`, class: "rs-svg", "aria-hidden": "true" });
  svg.append(draw("clipPath", { id }, [draw("rect", { x: LEFT, y: TOP, width: W - LEFT - RIGHT, height: H - TOP - FOOT })]));

  for (const tick of ticks(x)) {
    svg.append(draw("line", { x1: px(tick), x2: px(tick), y1: TOP, y2: H - FOOT, class: "rs-grid" }));
    svg.append(label(px(tick), H - FOOT + 15, tick, "middle"));
  }
  for (const tick of ticks(y)) {
    svg.append(draw("line", { x1: LEFT, x2: W - RIGHT, y1: py(tick), y2: py(tick), class: tick === 0 ? "rs-zero" : "rs-grid" }));
    svg.append(label(LEFT - 6, py(tick) + 4, tick, "end"));
  }
  svg.append(words((LEFT + W - RIGHT) / 2, H - 6, xLabel));
  svg.append(words(0, 0, yLabel, `translate(12 ${(TOP + H - FOOT) / 2}) rotate(-90)`));
  const plot = draw("g", { "clip-path": `url(#${id})` });
  svg.append(plot);
  if (diagonal) plot.append(draw("line", { x1: px(0), y1: py(0), x2: px(1), y2: py(1), class: "rs-diagonal" }));
  for (const one of series) {
    if (one.band?.length) {
      const above = one.band.map((point) => ({ x: point.x, y: point.high }));
      const below = one.band.map((point) => ({ x: point.x, y: point.low })).reverse();
      plot.append(draw("path", { d: `${path([...above, ...below])}Z`, class: `rs-band ${one.style}` }));
    }
  }
  for (const one of series) {
    if (one.line?.length) plot.append(draw("path", { d: path(one.line), class: `rs-line ${one.style}` }));
    if (one.quiet) continue;
    for (const point of one.points) {
      if (point.low !== null && point.low !== undefined) {
        plot.append(draw("line", { x1: px(point.x), x2: px(point.x), y1: py(point.low), y2: py(point.high), class: `rs-bar ${one.style}` }));
      }
      if (point.mark) svg.append(draw("circle", { cx: px(point.x), cy: py(point.y), r: 4.5, class: `rs-dot ${one.style}` }));
    }
  }
  const cursor = draw("circle", { r: 6, class: "rs-cursor", visibility: "hidden" });
  svg.append(cursor);

  const active = series.filter((one) => one.points?.length);
  const tip = make("div", { className: "rs-tip", hidden: true });
  const stage = make("div", { className: "rs-stage", tabIndex: 0, role: "slider" }, [svg, tip]);
  let at = { s: 0, p: 0 };
  stage.setAttribute("aria-label", `${title}: ${say("explore")}`);
  stage.setAttribute("aria-valuemin", "0");

  function go(s, p, { visible = true } = {}) {
    if (!active.length) return;
    at = { s: (s + active.length) % active.length, p: 0 };
    const points = active[at.s].points;
    at.p = Math.min(Math.max(p, 0), points.length - 1);
    const point = points[at.p];
    const text = `${active[at.s].label}: ${point.text}`;
    stage.setAttribute("aria-valuemax", String(points.length - 1));
    stage.setAttribute("aria-valuenow", String(at.p));
    stage.setAttribute("aria-valuetext", text);
    cursor.setAttribute("cx", px(point.x));
    cursor.setAttribute("cy", Math.min(py(point.y), H - FOOT));
    cursor.setAttribute("visibility", visible ? "visible" : "hidden");
    cursor.setAttribute("class", `rs-cursor ${active[at.s].style}`);
    tip.hidden = !visible;
    tip.replaceChildren(make("strong", { textContent: active[at.s].label }), make("span", { textContent: point.text }));
    const left = px(point.x) / W;
    tip.style.left = `${left * 100}%`;
    tip.style.top = `${(Math.min(py(point.y), H - FOOT) / H) * 100}%`;
    tip.className = `rs-tip ${left > 0.5 ? "rs-before" : ""} ${py(point.y) > H / 2 ? "rs-over" : ""}`;
  }

  function nearest(event) {
    const box = svg.getBoundingClientRect();
    const [mx, my] = [((event.clientX - box.left) / box.width) * W, ((event.clientY - box.top) / box.height) * H];
    let best = null;
    active.forEach((one, s) => one.points.forEach((point, p) => {
      const distance = Math.hypot(px(point.x) - mx, py(point.y) - my);
      if (!best || distance < best.distance) best = { s, p, distance };
    }));
    return best && best.distance < NEAR_PX ? best : null;
  }

  const open = () => active[at.s]?.points[at.p]?.open?.();
  stage.addEventListener("pointermove", (event) => {
    const found = nearest(event);
    if (found) go(found.s, found.p);
    stage.style.cursor = found ? "pointer" : "default";
  });
  stage.addEventListener("pointerleave", () => { if (document.activeElement !== stage) go(at.s, at.p, { visible: false }); });
  stage.addEventListener("click", (event) => {
    const found = nearest(event);
    if (!found) return;
    go(found.s, found.p);
    open();
  });
  stage.addEventListener("focus", () => go(at.s, at.p));
  stage.addEventListener("blur", () => go(at.s, at.p, { visible: false }));
  stage.addEventListener("keydown", (event) => {
    const moves = {
      ArrowRight: () => go(at.s, at.p + 1), ArrowLeft: () => go(at.s, at.p - 1),
      ArrowDown: () => go(at.s + 1, at.p), ArrowUp: () => go(at.s - 1, at.p),
      PageUp: () => go(at.s, at.p + 10), PageDown: () => go(at.s, at.p - 10),
      Home: () => go(at.s, 0), End: () => go(at.s, Infinity), Enter: open, " ": open,
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    moves[event.key]();
  });
  go(0, 0, { visible: false });
  return stage;
}

const label = (left, top, value, anchor) => {
  const text = draw("text", { x: left, y: top, "text-anchor": anchor, class: "rs-tick" });
  text.textContent = String(Math.round(value * 100) / 100).replace("-", "−");
  return text;
};

const words = (left, top, content, transform) => {
  const text = draw("text", { x: left, y: top, "text-anchor": "middle", class: "rs-axis", ...(transform ? { transform } : {}) });
  text.textContent = content;
  return text;
};
