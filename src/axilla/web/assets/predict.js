// The page of predictions: choose images, draw the lesion, fill in values, predict, keep.

import { Refused, make, present, speaker, spoken, told } from "./dom.js";
import { clinicalFields, imageField } from "./predict_inputs.js";
import { showResult } from "./predict_result.js";
import { savedList } from "./predict_saved.js";

const data = told("predict");
const say = speaker(data.words);
const context = { ...data, say };

async function send(form) {
  const headers = { "X-CSRF-Token": document.querySelector("meta[name=csrf-token]")?.content ?? "" };
  const answer = await fetch("/api/predict", { method: "POST", headers, body: form });
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, content);
  return content;
}

function caseForm() {
  const modalities = data.bundle.modalities.map((part) => part.modality);
  const fields = {
    ultrasound: modalities.includes("ultrasound") ? imageField("ultrasound", context) : null,
    pathology: modalities.includes("pathology") ? imageField("pathology", context) : null,
    clinical: data.bundle.clinical.length ? clinicalFields(context) : null,
  };
  const status = make("p", { className: "pr-status", role: "status" });
  const fault = make("p", { className: "fault", role: "alert", hidden: true });
  const heatmaps = make("input", { type: "checkbox", checked: true });
  const button = make("button", { type: "submit", className: "ax-button", textContent: say("predict") });
  const form = make("form", { className: "pr-case", "aria-label": say("inputs"), noValidate: true }, [
    ...Object.values(fields).filter(Boolean).map((field) => field.element),
    make("div", { className: "ax-row pr-go" }, [
      button,
      make("label", { className: "pr-check" }, [heatmaps, make("span", { textContent: say("with_heatmaps") })]),
      status,
    ]),
    fault,
    make("p", { className: "ax-muted pr-small", textContent: say("memory") }),
  ]);
  return { form, fields, status, fault, heatmaps, button };
}

function gathered(parts) {
  const form = new FormData();
  for (const field of Object.values(parts.fields)) field?.add(form);
  form.append("heatmaps", String(parts.heatmaps.checked));
  return form;
}

function size(form) {
  return [...form.values()].reduce((sum, value) => sum + (value instanceof File ? value.size : 0), 0);
}

// A problem is shown at the field that it is about, and else below the form.
function complain(parts, error) {
  const problems = error instanceof Refused
    ? error.content.problems ?? [error.content.detail].filter(Boolean) : [];
  const rest = problems.filter((problem) => {
    const field = Object.values(parts.fields).find((one) => one?.owns(problem.place));
    field?.complain(problem);
    return !field;
  });
  const words = rest.map(spoken);
  if (!problems.length) words.push(error instanceof Refused ? error.message : say("unreachable"));
  parts.fault.textContent = words.join(" ");
  parts.fault.hidden = !words.length;
}

async function start() {
  const root = await present("predict");
  const parts = caseForm();
  const result = make("section", { className: "pr-result", tabIndex: -1, "aria-label": say("result") }, [
    make("p", { className: "ax-muted pr-empty", textContent: say("none_yet") }),
  ]);
  const saved = savedList(context, (one) => show(one.result, one));
  const show = (content, kept) => {
    showResult(result, content, context, { kept, onSaved: saved.refresh });
    result.focus({ preventScroll: true });
    result.scrollIntoView({ block: "nearest" });
  };
  root.append(make("div", { className: "pr-grid" }, [parts.form, result]), saved.element);
  saved.refresh();
  parts.form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (parts.button.getAttribute("aria-disabled") === "true") return;
    for (const field of Object.values(parts.fields)) field?.forgive();
    parts.fault.hidden = true;
    const form = gathered(parts);
    if (!Object.values(parts.fields).some((field) => field?.filled())) {
      parts.fault.textContent = say("nothing");
      parts.fault.hidden = false;
      return;
    }
    if (size(form) > data.most_bytes) {
      parts.fault.textContent = say("too_large", { most: Math.floor(data.most_bytes / 2 ** 20) });
      parts.fault.hidden = false;
      return;
    }
    parts.button.setAttribute("aria-disabled", "true");
    parts.status.replaceChildren(make("progress", { "aria-label": say("predicting") }), say("predicting"));
    try {
      show(await send(form), null);
    } catch (error) {
      complain(parts, error);
    } finally {
      parts.button.removeAttribute("aria-disabled");
      parts.status.replaceChildren();
    }
  });
}

start();
