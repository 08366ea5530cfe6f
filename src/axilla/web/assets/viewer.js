// Looking at an image and drawing one rectangle on it, by mouse, pen, touch or keyboard.
//
//   const viewer = createViewer(element, {words, editable, onChange, onReady, onFault});
//   viewer.show({url, width, height, pixelMm, alt});
//   viewer.setRoi({left, top, width, height} or null); viewer.getRoi();
//   viewer.setOther(roi or null, "label"): a second rectangle, only to compare with;
//   viewer.setEditable(true); viewer.fit(); viewer.zoom(1.25); viewer.adjust("brightness", 10);
//   viewer.resetLook(); viewer.undo(); viewer.focus(); viewer.key(event); viewer.destroy();
//
// Rectangles are whole px of the image: {left, top, width, height}. onChange(roi) is called after
// each change that a person made. `words` replaces the texts of WORDS, for other languages.

export const WORDS = {
  canvas: "Image with one rectangle",
  keys: "Drag to draw. Arrow keys move the rectangle by 1 px, with Shift by 10, with Alt they change its size. Enter begins one in the middle. Space and drag moves the image.",
  zoomIn: "Zoom in", zoomOut: "Zoom out", fit: "Fit", move: "Move image", undo: "Undo",
  brightness: "Brightness", contrast: "Contrast", reset: "Reset",
  none: "No rectangle", at: "at", px: "px", mm: "mm", fault: "The image cannot be shown.",
};

const SVG = "http://www.w3.org/2000/svg";
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const TOUCH_PX = 26;
const SHOWN_PX = 10;
const DRAG_PX = 4;
const MOST_ZOOM = 40;
const UNDONE = 100;
const LOOKS = { brightness: 100, contrast: 100 };

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

function make(tag, attributes = {}, parent = null) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  parent?.append(element);
  return element;
}

function draw(tag, attributes, parent) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.append(element);
  return element;
}

export function createViewer(host, options = {}) {
  const words = { ...WORDS, ...options.words };
  const onChange = options.onChange ?? (() => {});
  const state = {
    editable: options.editable ?? true, image: null, roi: null, other: null, label: "",
    zoom: 1, x: 0, y: 0, fitted: true, panning: false, space: false, resizing: false,
    look: { ...LOOKS }, undone: [], gesture: null, pointers: new Map(),
  };

  // ---- what is there -------------------------------------------------------------------------
  const root = make("div", { class: "vw" });
  const bar = make("div", { class: "vw-bar", role: "group", "aria-label": words.canvas }, root);
  const stage = make("div", {
    class: "vw-stage", tabindex: "0", role: "application", "aria-label": words.canvas,
  }, root);
  const help = make("p", { class: "vw-unseen", text: words.keys, id: `vw-${crypto.randomUUID?.() ?? Math.random()}` }, root);
  stage.setAttribute("aria-describedby", help.id);
  const img = make("img", { class: "vw-img", alt: "", draggable: "false" }, stage);
  const svg = draw("svg", { class: "vw-over", "aria-hidden": "true" }, stage);
  const cross = [0, 1].map(() => draw("line", { class: "vw-cross", visibility: "hidden" }, svg));
  const second = rectangle("vw-second");
  const first = rectangle("vw-first");
  const handles = Object.fromEntries(HANDLES.map((name) => {
    const group = draw("g", { class: `vw-handle vw-${name}`, "data-handle": name }, svg);
    draw("rect", { class: "vw-touch", width: TOUCH_PX, height: TOUCH_PX, x: -TOUCH_PX / 2, y: -TOUCH_PX / 2 }, group);
    draw("rect", { class: "vw-grip", width: SHOWN_PX, height: SHOWN_PX, x: -SHOWN_PX / 2, y: -SHOWN_PX / 2 }, group);
    return [name, group];
  }));
  const fault = make("p", { class: "vw-fault fault", role: "alert", hidden: "" }, stage);
  const size = make("p", { class: "vw-size", text: words.none }, root);
  const live = make("p", { class: "vw-unseen", role: "status", "aria-live": "polite" }, root);

  function rectangle(name) {
    const group = draw("g", { class: name, visibility: "hidden" }, svg);
    return [draw("rect", { class: "vw-under" }, group), draw("rect", { class: "vw-line" }, group), group];
  }

  const tools = [
    ["−", words.zoomOut, () => zoom(1 / 1.25)], ["+", words.zoomIn, () => zoom(1.25)],
    [words.fit, words.fit, fit],
  ].map(([sign, label, act]) => make("button", {
    type: "button", class: "ax-quiet", "aria-label": label, title: label, text: sign, onclick: act,
  }, bar));
  const mover = make("button", {
    type: "button", class: "ax-quiet", "aria-pressed": "false", text: words.move,
    onclick: () => setPanning(!state.panning),
  }, bar);
  const undoer = make("button", { type: "button", class: "ax-quiet", text: words.undo, onclick: undo }, bar);
  const sliders = Object.fromEntries(Object.keys(LOOKS).map((name) => {
    const label = make("label", { class: "vw-slider" }, bar);
    make("span", { text: words[name] }, label);
    return [name, make("input", {
      type: "range", min: "20", max: "300", step: "5", value: String(LOOKS[name]),
      oninput: (event) => setLook(name, Number(event.target.value)),
    }, label)];
  }));
  make("button", { type: "button", class: "ax-quiet", text: words.reset, onclick: resetLook }, bar);

  // ---- image and view ------------------------------------------------------------------------
  function show(image) {
    state.image = image;
    state.roi = state.other = null;
    state.undone = [];
    state.fitted = true;
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

  function fit() {
    if (!state.image) return render();
    const { clientWidth: width, clientHeight: height } = stage;
    if (!width || !height) return;
    state.zoom = Math.min(width / state.image.width, height / state.image.height);
    state.x = (width - state.image.width * state.zoom) / 2;
    state.y = (height - state.image.height * state.zoom) / 2;
    state.fitted = true;
    render();
  }

  function zoom(factor, at = { x: stage.clientWidth / 2, y: stage.clientHeight / 2 }) {
    if (!state.image) return;
    const least = 0.5 * Math.min(stage.clientWidth / state.image.width, stage.clientHeight / state.image.height);
    const next = clamp(state.zoom * factor, Math.min(least, 1), MOST_ZOOM);
    state.x = at.x - ((at.x - state.x) * next) / state.zoom;
    state.y = at.y - ((at.y - state.y) * next) / state.zoom;
    state.zoom = next;
    state.fitted = false;
    keepInSight();
    render();
  }

  function keepInSight() {
    const margin = 40;
    state.x = clamp(state.x, margin - state.image.width * state.zoom, stage.clientWidth - margin);
    state.y = clamp(state.y, margin - state.image.height * state.zoom, stage.clientHeight - margin);
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
  function within(roi) {
    const width = clamp(Math.round(roi.width), 1, state.image.width);
    const height = clamp(Math.round(roi.height), 1, state.image.height);
    return {
      left: clamp(Math.round(roi.left), 0, state.image.width - width),
      top: clamp(Math.round(roi.top), 0, state.image.height - height), width, height,
    };
  }

  function between(a, b) {
    const [left, right] = [a.x, b.x].sort((m, n) => m - n).map((v) => clamp(Math.round(v), 0, state.image.width));
    const [top, bottom] = [a.y, b.y].sort((m, n) => m - n).map((v) => clamp(Math.round(v), 0, state.image.height));
    return right > left && bottom > top ? { left, top, width: right - left, height: bottom - top } : null;
  }

  function changed(roi, before = state.roi) {
    if (same(roi, before)) return;
    if (before) state.undone.push(before); // a rectangle is moved or drawn anew, never only removed
    if (state.undone.length > UNDONE) state.undone.shift();
    state.roi = roi;
    render();
    say();
    onChange(roi && { ...roi });
  }

  function undo() {
    if (!state.editable || !state.undone.length) return;
    state.roi = state.undone.pop();
    render();
    say();
    onChange(state.roi && { ...state.roi });
  }

  function text(roi) {
    if (!roi) return words.none;
    const mm = state.image?.pixelMm;
    const inMm = mm ? `, ${(roi.width * mm).toFixed(1)} × ${(roi.height * mm).toFixed(1)} ${words.mm}` : "";
    return `${roi.width} × ${roi.height} ${words.px}${inMm} (${words.at} ${roi.left}, ${roi.top})`;
  }

  // The rectangle in words; without one, that of the other reader under its own name.
  function described() {
    const other = !state.roi && state.other && state.label;
    return other ? `${state.label}: ${text(state.other)}` : text(state.roi);
  }

  let saying = 0;
  function say() {
    window.clearTimeout(saying);
    saying = window.setTimeout(() => { live.textContent = described(); }, 400);
  }

  // ---- drawing it ----------------------------------------------------------------------------
  function place([under, line, group], roi) {
    group.setAttribute("visibility", roi ? "visible" : "hidden");
    if (!roi) return null;
    const box = {
      x: state.x + roi.left * state.zoom, y: state.y + roi.top * state.zoom,
      width: roi.width * state.zoom, height: roi.height * state.zoom,
    };
    for (const shape of [under, line]) {
      for (const [name, value] of Object.entries(box)) shape.setAttribute(name, value);
    }
    return box;
  }

  function render() {
    const shown = state.image !== null;
    img.style.transform = `translate(${state.x}px, ${state.y}px) scale(${state.zoom})`;
    img.classList.toggle("vw-pixels", state.zoom > 4);
    place(second, shown ? state.other : null);
    const box = place(first, shown ? state.roi : null);
    const grips = box && state.editable && !state.panning;
    for (const [name, group] of Object.entries(handles)) {
      group.setAttribute("visibility", grips ? "visible" : "hidden");
      if (!grips) continue;
      // Around a small rectangle the handles step outside, so that its middle stays free to move.
      const out = { x: clamp((3 * TOUCH_PX - box.width) / 4, 0, TOUCH_PX / 2), y: clamp((3 * TOUCH_PX - box.height) / 4, 0, TOUCH_PX / 2) };
      const x = name.includes("w") ? box.x - out.x : name.includes("e") ? box.x + box.width + out.x : box.x + box.width / 2;
      const y = name.includes("n") ? box.y - out.y : name.includes("s") ? box.y + box.height + out.y : box.y + box.height / 2;
      group.setAttribute("transform", `translate(${x} ${y})`);
    }
    stage.classList.toggle("vw-pan", state.panning || state.space || !state.editable);
    undoer.disabled = !state.editable || !state.undone.length;
    size.textContent = described();
  }

  // ---- pointers ------------------------------------------------------------------------------
  function at(event) {
    const frame = stage.getBoundingClientRect();
    return { x: event.clientX - frame.left - stage.clientLeft, y: event.clientY - frame.top - stage.clientTop };
  }
  const inImage = (point) => ({ x: (point.x - state.x) / state.zoom, y: (point.y - state.y) / state.zoom });

  function covers(point) {
    const roi = state.roi;
    const { x, y } = inImage(point);
    return roi && x >= roi.left && x <= roi.left + roi.width && y >= roi.top && y <= roi.top + roi.height;
  }

  stage.addEventListener("pointerdown", (event) => {
    if (!state.image || (event.button !== 0 && event.button !== 1)) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    const point = at(event);
    state.pointers.set(event.pointerId, point);
    try { stage.setPointerCapture(event.pointerId); } catch { /* it has left already */ }
    if (state.pointers.size === 2) return beginPinch();
    if (state.pointers.size > 2) return;
    const handle = event.target.closest?.("[data-handle]")?.dataset.handle;
    const pans = event.button === 1 || state.space || state.panning || !state.editable;
    const inside = covers(point) && !event.shiftKey;
    const kind = pans ? "pan" : handle ? "size" : inside ? "move" : "draw";
    state.gesture = { kind, handle, start: point, roi: state.roi, x: state.x, y: state.y };
  });

  function beginPinch() {
    if (state.gesture && state.gesture.kind !== "pan") state.roi = state.gesture.roi;
    const [a, b] = [...state.pointers.values()];
    state.gesture = { kind: "pinch", middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, span: Math.hypot(a.x - b.x, a.y - b.y) };
    render();
  }

  stage.addEventListener("pointermove", (event) => {
    const point = at(event);
    crosshair(point, event.pointerType);
    if (!state.pointers.has(event.pointerId) || !state.gesture) return;
    state.pointers.set(event.pointerId, point);
    const gesture = state.gesture;
    if (gesture.kind === "pinch") return pinch(gesture);
    const moved = { x: point.x - gesture.start.x, y: point.y - gesture.start.y };
    if (gesture.kind === "pan") {
      state.x = gesture.x + moved.x;
      state.y = gesture.y + moved.y;
      state.fitted = false;
      keepInSight();
    } else if (gesture.kind === "draw") {
      if (!gesture.drawing && Math.hypot(moved.x, moved.y) < DRAG_PX) return;
      gesture.drawing = true;
      state.roi = between(inImage(gesture.start), inImage(point)) ?? state.roi;
    } else {
      const by = { x: moved.x / state.zoom, y: moved.y / state.zoom };
      state.roi = gesture.kind === "move"
        ? within({ ...gesture.roi, left: gesture.roi.left + by.x, top: gesture.roi.top + by.y })
        : sized(gesture.roi, gesture.handle, by);
    }
    render();
  });

  function sized(roi, handle, by) {
    let [left, top, right, bottom] = [roi.left, roi.top, roi.left + roi.width, roi.top + roi.height];
    if (handle.includes("w")) left += by.x;
    if (handle.includes("e")) right += by.x;
    if (handle.includes("n")) top += by.y;
    if (handle.includes("s")) bottom += by.y;
    return between({ x: left, y: top }, { x: right, y: bottom }) ?? state.roi;
  }

  function pinch(gesture) {
    if (state.pointers.size < 2) return;
    const [a, b] = [...state.pointers.values()];
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    const span = Math.hypot(a.x - b.x, a.y - b.y);
    state.x += middle.x - gesture.middle.x;
    state.y += middle.y - gesture.middle.y;
    if (span > 0 && gesture.span > 0) zoom(span / gesture.span, middle);
    Object.assign(gesture, { middle, span });
    render();
  }

  function released(event) {
    if (!state.pointers.delete(event.pointerId)) return;
    const gesture = state.gesture;
    if (state.pointers.size || !gesture) return;
    state.gesture = null;
    if (["draw", "move", "size"].includes(gesture.kind)) {
      const roi = event.type === "pointercancel" ? gesture.roi : state.roi;
      state.roi = gesture.roi;
      changed(roi, gesture.roi);
      render();
    }
  }
  stage.addEventListener("pointerup", released);
  stage.addEventListener("pointercancel", released);
  stage.addEventListener("pointerleave", () => cross.forEach((line) => line.setAttribute("visibility", "hidden")));
  stage.addEventListener("auxclick", (event) => event.preventDefault());
  stage.addEventListener("wheel", (event) => {
    if (!state.image) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    zoom(Math.exp(-clamp(event.deltaY * lines, -200, 200) * (event.ctrlKey ? 0.01 : 0.002)), at(event));
  }, { passive: false });

  function crosshair(point, kind) {
    const on = state.editable && state.image && kind !== "touch" && !state.panning && !state.space;
    const ends = [[0, point.y, stage.clientWidth, point.y], [point.x, 0, point.x, stage.clientHeight]];
    cross.forEach((line, n) => {
      line.setAttribute("visibility", on ? "visible" : "hidden");
      ["x1", "y1", "x2", "y2"].forEach((name, k) => line.setAttribute(name, ends[n][k]));
    });
  }

  // ---- keys ----------------------------------------------------------------------------------
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // Answers whether the key meant something here; pages may pass on keys pressed elsewhere.
  function key(event) {
    if (!state.image) return false;
    const arrow = ARROWS[event.key];
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") undo();
    else if (event.ctrlKey || event.metaKey) return false;
    else if (arrow && state.editable && state.roi) nudge(arrow, event);
    else if (arrow) {
      state.x -= arrow[0] * 40;
      state.y -= arrow[1] * 40;
      state.fitted = false;
      keepInSight();
      render();
    } else if (event.key === "Enter" && state.editable && !state.roi) begin();
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-" || event.key === "_") zoom(1 / 1.25);
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
    const roi = state.roi;
    const next = event.altKey || state.resizing
      ? {
          ...roi,
          width: clamp(roi.width + across * step, 1, state.image.width - roi.left),
          height: clamp(roi.height + down * step, 1, state.image.height - roi.top),
        }
      : within({ ...roi, left: roi.left + across * step, top: roi.top + down * step });
    changed(next);
  }

  // A quarter of what is in sight, in its middle: where somebody without a pointer begins.
  function begin() {
    const start = inImage({ x: stage.clientWidth / 4, y: stage.clientHeight / 4 });
    const end = inImage({ x: (stage.clientWidth * 3) / 4, y: (stage.clientHeight * 3) / 4 });
    const roi = between(start, end);
    if (roi) changed(roi);
  }

  function adjust(name, by) {
    setLook(name, state.look[name] + by);
  }

  const down = (event) => {
    if (event.key === " ") {
      event.preventDefault();
      state.space = true;
      render();
    } else if (key(event)) event.stopPropagation();
  };
  const up = (event) => {
    if (event.key !== " " || !state.space) return;
    state.space = false;
    render();
  };
  stage.addEventListener("keydown", down);
  stage.addEventListener("keyup", up);
  stage.addEventListener("blur", () => { state.space = false; render(); });
  img.addEventListener("error", () => {
    if (!img.getAttribute("src")) return;
    fault.textContent = words.fault;
    fault.hidden = false;
    options.onFault?.();
  });
  img.addEventListener("load", () => { stage.dataset.shown = state.image?.url ?? ""; options.onReady?.(); });
  const watching = new ResizeObserver(() => (state.fitted ? fit() : render()));
  watching.observe(stage);

  host.replaceChildren(root);
  render();
  return {
    show, fit, zoom, adjust, resetLook, undo, key,
    setRoi(roi) { state.roi = roi && { ...roi }; state.undone = []; render(); say(); },
    change(roi) { if (state.image && state.editable) changed(roi && within(roi)); },
    getRoi: () => state.roi && { ...state.roi },
    setOther(roi, label = "") {
      state.other = roi && { ...roi };
      state.label = label;
      render();
      say();
    },
    setEditable(on) { state.editable = on; render(); },
    focus: () => stage.focus({ preventScroll: true }),
    text,
    destroy() { watching.disconnect(); root.remove(); },
    element: root,
  };
}
