// Mouse, pen and fingers on the viewer's stage: drawing, moving, sizing, panning, pinching, wheel.

import { between, clamp, covers, moved, sized } from "./viewer_rectangle.js";

const DRAG_PX = 4;

// `state` is the viewer's; `act` has inImage(point), pan(x, y), zoom(factor, at), render() and
// changed(roi, before).
export function followPointers({ stage, over }, state, act) {
  const pointers = new Map();
  let gesture = null;

  function at(event) {
    const frame = stage.getBoundingClientRect();
    return { x: event.clientX - frame.left - stage.clientLeft, y: event.clientY - frame.top - stage.clientTop };
  }

  function begin(event) {
    if (!state.image || (event.button !== 0 && event.button !== 1)) return;
    event.preventDefault();
    stage.focus({ preventScroll: true });
    const point = at(event);
    pointers.set(event.pointerId, point);
    try { stage.setPointerCapture(event.pointerId); } catch { /* it has left already */ }
    if (pointers.size === 2) return beginPinch();
    if (pointers.size > 2) return;
    const handle = event.target.closest?.("[data-handle]")?.dataset.handle;
    const pans = event.button === 1 || state.space || state.panning || !state.editable;
    const inside = covers(state.roi, act.inImage(point)) && !event.shiftKey;
    const kind = pans ? "pan" : handle ? "size" : inside ? "move" : "draw";
    gesture = { kind, handle, start: point, roi: state.roi, x: state.x, y: state.y };
  }

  // Where two fingers are: the point between them, and how far apart they are.
  function spread() {
    const [a, b] = [...pointers.values()];
    return { middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, span: Math.hypot(a.x - b.x, a.y - b.y) };
  }

  function beginPinch() {
    if (gesture && gesture.kind !== "pan") state.roi = gesture.roi;
    gesture = { kind: "pinch", ...spread() };
    act.render();
  }

  function pinch() {
    if (pointers.size < 2) return;
    const { middle, span } = spread();
    state.x += middle.x - gesture.middle.x;
    state.y += middle.y - gesture.middle.y;
    if (span > 0 && gesture.span > 0) act.zoom(span / gesture.span, middle);
    Object.assign(gesture, { middle, span });
    act.render();
  }

  function move(event) {
    const point = at(event);
    const aims = state.editable && state.image && event.pointerType !== "touch" && !state.panning && !state.space;
    over.crosshair(aims ? point : null);
    if (!pointers.has(event.pointerId) || !gesture) return;
    pointers.set(event.pointerId, point);
    if (gesture.kind === "pinch") return pinch();
    const way = { x: point.x - gesture.start.x, y: point.y - gesture.start.y };
    if (gesture.kind === "pan") return act.pan(gesture.x + way.x, gesture.y + way.y);
    if (gesture.kind === "draw") {
      if (!gesture.drawing && Math.hypot(way.x, way.y) < DRAG_PX) return;
      gesture.drawing = true;
      state.roi = between(state.image, act.inImage(gesture.start), act.inImage(point)) ?? state.roi;
    } else {
      const by = { x: way.x / state.zoom, y: way.y / state.zoom };
      const next = gesture.kind === "move" ? moved(state.image, gesture.roi, by) : sized(state.image, gesture.roi, gesture.handle, by);
      state.roi = next ?? state.roi;
    }
    act.render();
  }

  function end(event) {
    if (!pointers.delete(event.pointerId) || pointers.size || !gesture) return;
    const { kind, roi: before } = gesture;
    gesture = null;
    if (!["draw", "move", "size"].includes(kind)) return;
    const roi = event.type === "pointercancel" ? before : state.roi;
    state.roi = before;
    act.changed(roi, before);
    act.render();
  }

  function wheel(event) {
    if (!state.image) return;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    act.zoom(Math.exp(-clamp(event.deltaY * lines, -200, 200) * (event.ctrlKey ? 0.01 : 0.002)), at(event));
  }

  stage.addEventListener("pointerdown", begin);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("pointerleave", () => over.crosshair(null));
  stage.addEventListener("auxclick", (event) => event.preventDefault());
  stage.addEventListener("wheel", wheel, { passive: false });
}
