// Looking at an image and drawing one rectangle on it, by mouse, pen, touch or keyboard.
//
//   const viewer = createViewer(element, {words, editable, onChange, onFault});
//   viewer.show({url, width, height, pixelMm, alt});
//   viewer.setRoi({left, top, width, height} or null); viewer.getRoi();
//   viewer.setOther(roi or null, "label"): a second rectangle, only to compare with;
//   viewer.setEditable(true); viewer.change(roi); viewer.focus(); viewer.key(event); viewer.destroy();
//
// Rectangles are whole px of the image: {left, top, width, height}. onChange(roi) is called after
// each change that a person made.

import { createParts } from "./viewer_parts.js";
import { followPointers } from "./viewer_pointers.js";
import { between, clamp, described, grown, moved, same, within } from "./viewer_rectangle.js";

const MOST_ZOOM = 40;
const STEP_ZOOM = 1.25;
const IN_SIGHT_PX = 40;
const UNDONE = 100;
const SAY_MS = 400;
const LOOKS = { brightness: 100, contrast: 100 };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function createViewer(host, { words, editable = true, onChange = () => {}, onFault = () => {} }) {
  const state = {
    editable, image: null, roi: null, other: null, label: "",
    zoom: 1, x: 0, y: 0, fitted: true, panning: false, space: false, resizing: false,
    look: { ...LOOKS }, undone: [],
  };
  const parts = createParts(words, LOOKS, {
    zoom, fit, undo, look: setLook, reset: resetLook, pan: () => setPanning(!state.panning),
  });
  const { root, stage, img, over, fault, size, live, mover, undoer, sliders } = parts;

  // ---- image and view ------------------------------------------------------------------------
  function show(image) {
    Object.assign(state, { image, roi: null, other: null, undone: [] });
    fault.hidden = true;
    delete stage.dataset.shown;
    stage.setAttribute("aria-label", image ? `${words.canvas}: ${image.alt ?? ""}` : words.canvas);
    if (image) {
      img.src = image.url;
      img.style.width = `${image.width}px`;
      img.style.height = `${image.height}px`;
    } else img.removeAttribute("src");
    img.hidden = !image;
    fit();
    say();
  }

  const widest = () => Math.min(stage.clientWidth / state.image.width, stage.clientHeight / state.image.height);
  const inImage = (point) => ({ x: (point.x - state.x) / state.zoom, y: (point.y - state.y) / state.zoom });

  function fit() {
    state.fitted = true;
    if (!state.image) return render();
    if (!stage.clientWidth || !stage.clientHeight) return;
    state.zoom = widest();
    state.x = (stage.clientWidth - state.image.width * state.zoom) / 2;
    state.y = (stage.clientHeight - state.image.height * state.zoom) / 2;
    render();
  }

  function zoom(factor, at = { x: stage.clientWidth / 2, y: stage.clientHeight / 2 }) {
    if (!state.image) return;
    const next = clamp(state.zoom * factor, Math.min(0.5 * widest(), 1), MOST_ZOOM);
    const ratio = next / state.zoom;
    state.zoom = next;
    pan(at.x - (at.x - state.x) * ratio, at.y - (at.y - state.y) * ratio);
  }

  function pan(x, y) {
    state.x = clamp(x, IN_SIGHT_PX - state.image.width * state.zoom, stage.clientWidth - IN_SIGHT_PX);
    state.y = clamp(y, IN_SIGHT_PX - state.image.height * state.zoom, stage.clientHeight - IN_SIGHT_PX);
    state.fitted = false;
    render();
  }

  function setLook(name, value) {
    state.look[name] = clamp(value, 20, 300);
    sliders[name].value = String(state.look[name]);
    img.style.filter = `brightness(${state.look.brightness}%) contrast(${state.look.contrast}%)`;
  }

  function resetLook() {
    for (const [name, value] of Object.entries(LOOKS)) setLook(name, value);
  }

  function setPanning(on) {
    state.panning = on;
    mover.setAttribute("aria-pressed", String(on));
    render();
  }

  // ---- the rectangle -------------------------------------------------------------------------
  function changed(roi, before = state.roi) {
    if (same(roi, before)) return;
    if (before) state.undone.push(before); // a rectangle is moved or drawn anew, never only removed
    if (state.undone.length > UNDONE) state.undone.shift();
    became(roi);
  }

  function undo() {
    if (state.editable && state.undone.length) became(state.undone.pop());
  }

  function became(roi) {
    state.roi = roi;
    render();
    say();
    onChange(roi && { ...roi });
  }

  // The rectangle in words; without one, that of the other reader under its own name.
  function inWords() {
    const other = !state.roi && state.other && state.label;
    return `${other ? `${state.label}: ` : ""}${described(state.image, other ? state.other : state.roi, words)}`;
  }

  let saying = 0;
  function say() {
    window.clearTimeout(saying);
    saying = window.setTimeout(() => { live.textContent = inWords(); }, SAY_MS);
  }

  function boxOf(roi) {
    return state.image && roi && {
      x: state.x + roi.left * state.zoom, y: state.y + roi.top * state.zoom,
      width: roi.width * state.zoom, height: roi.height * state.zoom,
    };
  }

  function render() {
    img.style.transform = `translate(${state.x}px, ${state.y}px) scale(${state.zoom})`;
    img.classList.toggle("vw-pixels", state.zoom > 4);
    const box = boxOf(state.roi);
    over.draw({ roi: box, other: boxOf(state.other), grips: state.editable && !state.panning ? box : null });
    stage.classList.toggle("vw-pan", state.panning || state.space || !state.editable);
    undoer.disabled = !state.editable || !state.undone.length;
    size.textContent = inWords();
  }

  // ---- keys ----------------------------------------------------------------------------------
  // Answers whether the key meant something here; pages may pass on keys pressed elsewhere.
  function key(event) {
    if (!state.image) return false;
    const arrow = ARROWS[event.key];
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") undo();
    else if (event.ctrlKey || event.metaKey) return false;
    else if (arrow && state.editable && state.roi) nudge(arrow, event);
    else if (arrow) pan(state.x - arrow[0] * 40, state.y - arrow[1] * 40);
    else if (event.key === "Enter" && state.editable && !state.roi) begin();
    else if (event.key === "+" || event.key === "=") zoom(STEP_ZOOM);
    else if (event.key === "-" || event.key === "_") zoom(1 / STEP_ZOOM);
    else if (event.key === "0") fit();
    else if (event.key === "b" || event.key === "B") adjust("brightness", event.key === "b" ? 10 : -10);
    else if (event.key === "c" || event.key === "C") adjust("contrast", event.key === "c" ? 10 : -10);
    else if (event.key === "x") resetLook();
    else if (event.key === "e" && state.editable) state.resizing = !state.resizing;
    else return false;
    event.preventDefault();
    return true;
  }

  function nudge([across, down], event) {
    const step = event.shiftKey ? 10 : 1;
    const act = event.altKey || state.resizing ? grown : moved;
    changed(act(state.image, state.roi, { x: across * step, y: down * step }));
  }

  // A quarter of what is in sight, in its middle: where somebody without a pointer begins.
  function begin() {
    const start = inImage({ x: stage.clientWidth / 4, y: stage.clientHeight / 4 });
    const end = inImage({ x: (stage.clientWidth * 3) / 4, y: (stage.clientHeight * 3) / 4 });
    const roi = between(state.image, start, end);
    if (roi) changed(roi);
  }

  const adjust = (name, by) => setLook(name, state.look[name] + by);

  function hold(space) {
    if (state.space === space) return;
    state.space = space;
    render();
  }

  // ---- what happens to it --------------------------------------------------------------------
  stage.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      hold(true);
    } else if (key(event)) event.stopPropagation();
  });
  stage.addEventListener("keyup", (event) => event.key === " " && hold(false));
  stage.addEventListener("blur", () => hold(false));
  followPointers(parts, state, { inImage, pan, zoom, render, changed });
  img.addEventListener("error", () => {
    if (!img.getAttribute("src")) return;
    fault.textContent = words.fault;
    fault.hidden = false;
    onFault();
  });
  img.addEventListener("load", () => { stage.dataset.shown = state.image?.url ?? ""; });
  const watching = new ResizeObserver(() => (state.fitted ? fit() : render()));
  watching.observe(stage);

  host.replaceChildren(root);
  render();
  return {
    show, key,
    setRoi(roi) { state.roi = roi && { ...roi }; state.undone = []; render(); say(); },
    change(roi) { if (state.image && state.editable) changed(roi && within(state.image, roi)); },
    getRoi: () => state.roi && { ...state.roi },
    setOther(roi, label = "") {
      state.other = roi && { ...roi };
      state.label = label;
      render();
      say();
    },
    setEditable(on) { state.editable = on; render(); },
    focus: () => stage.focus({ preventScroll: true }),
    destroy() { watching.disconnect(); root.remove(); },
  };
}
