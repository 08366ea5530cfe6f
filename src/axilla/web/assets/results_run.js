// How a run goes on, or how the last one ended.
import { ask, make } from "./dom.js";
import { duration } from "./results_words.js";

const OFTEN_MS = 1500;
const SELDOM_MS = 15000;

export function runStatus({ say, changed }) {
  const element = make("section", { className: "rs-run", hidden: true });
  element.setAttribute("aria-label", say("run"));
  const said = make("p", { role: "status" });
  const bar = make("progress", { max: 1 });
  const detail = make("p", { className: "ax-muted" });
  const stages = make("ol", { className: "rs-stages" });
  let before = "";

  async function look() {
    let state = null;
    try {
      state = await ask("/api/results/progress");
      show(state);
    } catch {
      state = null; // the next look tells
    }
    const running = state?.state === "running";
    const turned = state && (before === "running") !== running;
    if (state) before = state.state;
    if (turned) changed();
    setTimeout(look, running ? OFTEN_MS : SELDOM_MS);
  }

  function show(state) {
    const quiet = state.state === "none" || state.state === "finished";
    element.hidden = quiet;
    if (quiet) return;
    const running = state.state === "running";
    element.className = `ax-card rs-run rs-run-${state.state}`;
    const text = say(`run_${state.state}`, { seconds: duration(state.seconds, say) });
    if (said.textContent !== text) said.textContent = text;
    const task = state.task;
    if (task && task.total) {
      bar.value = task.done / task.total;
      bar.setAttribute("aria-label", task.name);
    } else {
      bar.removeAttribute("value");
      bar.setAttribute("aria-label", say("run"));
    }
    const left = state.left_s === null ? "" : ` · ${say("left", { left: duration(state.left_s, say) })}`;
    detail.textContent = running ? (task ? `${task.name}: ${task.done} / ${task.total}${left}` : "") : state.message;
    const done = new Map(state.stages.map((one) => [one.name, one.seconds]));
    stages.replaceChildren(...state.planned.map((name) => {
      const now = state.stage?.name === name;
      const mark = done.has(name) ? "✓" : now && running ? "▸" : now ? "✗" : "";
      const time = done.has(name) ? duration(done.get(name), say) : now ? duration(state.stage.seconds, say) : "";
      const item = make("li", { className: done.has(name) ? "rs-past" : now ? "rs-now" : "" }, [
        make("span", { textContent: `${mark} ${say(`stage_${name}`)}` }), make("small", { textContent: time })]);
      if (now) item.setAttribute("aria-current", "step");
      return item;
    }));
    element.replaceChildren(said, ...(running ? [bar] : []), detail, stages);
  }

  look();
  return { element, running: () => before === "running" };
}
