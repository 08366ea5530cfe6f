// What a prediction is made from: images with previews, the lesion's rectangle, clinical values.

import { Refused, make, spoken } from "./dom.js";
import { createViewer } from "./viewer.js";

const ACCEPTED = {
  ultrasound: ".dcm,.dicom,.dic,.png,.jpg,.jpeg,.tif,.tiff,.bmp,image/*,application/dicom",
  pathology: ".png,.jpg,.jpeg,.tif,.tiff,.bmp,.svs,.ndpi,.scn,.bif,.dcm,image/*",
};

// Names stay here: they may name patients, and the server needs their ending only.
const nameless = (file) => `image${/\.[A-Za-z0-9]{1,8}$/.exec(file.name)?.[0] ?? ""}`;

let made = 0;
const fresh = (name) => `pr-${name}-${(made += 1)}`;

async function preview(file, kind, frame) {
  const form = new FormData();
  form.append("file", file, nameless(file));
  form.append("kind", kind);
  if (frame) form.append("frame", String(frame));
  const headers = { "X-CSRF-Token": document.querySelector("meta[name=csrf-token]")?.content ?? "" };
  const answer = await fetch("/api/pictures", { method: "POST", headers, body: form });
  const content = await answer.json().catch(() => null);
  if (!answer.ok) throw new Refused(answer.status, content);
  return content;
}

export function imageField(kind, { say, bundle, viewer: viewerWords, words }) {
  const images = [];
  let chosen = -1;
  const isUltrasound = kind === "ultrasound";
  const fault = make("p", { className: "fault", role: "alert", hidden: true });
  const status = make("p", { className: "ax-muted pr-small", role: "status" });
  const tabs = make("ul", { className: "pr-tabs", "aria-label": say(kind) });
  const input = make("input", {
    type: "file", multiple: true, accept: ACCEPTED[kind], id: fresh(kind), className: "pr-file",
    onchange: () => { take([...input.files]); input.value = ""; },
  });
  const zone = make("div", {
    className: "pr-zone",
    ondragover: (event) => { event.preventDefault(); zone.classList.add("pr-over"); },
    ondragleave: () => zone.classList.remove("pr-over"),
    ondrop: (event) => {
      event.preventDefault();
      zone.classList.remove("pr-over");
      take([...event.dataTransfer.files]);
    },
  }, [
    input,
    make("label", { htmlFor: input.id, className: "ax-quiet pr-choose", textContent: say(`choose_${kind}`) }),
    make("span", { className: "ax-muted", textContent: `${say("drop")} · ${say(`kinds_${kind}`)}` }),
  ]);
  const stage = make("div", { className: isUltrasound ? "pr-stage" : "pr-preview", hidden: true });
  const extra = make("div", { className: "pr-extra" });
  const element = make("section", { className: "ax-card pr-card" }, [
    make("h2", { textContent: say(kind) }), zone, tabs, stage, extra, status, fault,
  ]);
  const viewer = isUltrasound ? createViewer(stage, {
    words: viewerWords, onChange: (roi) => { if (images[chosen]) images[chosen].roi = roi; },
  }) : null;
  const mask = make("input", { type: "file", accept: ".png,.tif,.tiff,.bmp,.jpg,.jpeg", id: fresh("mask") });
  const mpp = make("input", { type: "number", min: "0.01", max: "100", step: "any", id: fresh("mpp"), inputMode: "decimal" });

  async function take(files) {
    for (const file of files) images.push({ file, roi: null, frame: null, picture: null });
    if (files.length) await look(images.length - files.length);
  }

  async function look(place, frame = null) {
    chosen = place;
    const image = images[place];
    forgive();
    draw();
    if (!image) return;
    if (!image.picture || frame) {
      status.textContent = say("reading");
      try {
        image.picture = await preview(image.file, kind, frame);
        image.frame = frame ?? (image.picture.frames > 1 ? image.picture.frame : null);
      } catch (error) {
        image.picture = null;
        if (images[chosen] === image) complain(error.content?.detail ?? { found: say("unreachable") });
      }
      status.textContent = "";
      if (images[chosen] !== image) return;
    }
    draw();
  }

  function drop(place) {
    images.splice(place, 1);
    mask.value = "";
    look(Math.min(chosen, images.length - 1));
    input.focus();
  }

  function draw() {
    tabs.replaceChildren(...images.map((_, place) => make("li", {}, [
      make("button", {
        type: "button", className: "ax-quiet", "aria-pressed": String(place === chosen),
        textContent: say("image_n", { n: place + 1 }), onclick: () => look(place),
      }),
      make("button", {
        type: "button", className: "ax-quiet", textContent: "×",
        "aria-label": say("remove", { n: place + 1 }), onclick: () => drop(place),
      }),
    ])));
    const image = images[chosen];
    const picture = image?.picture;
    stage.hidden = !picture;
    extra.replaceChildren();
    if (!picture) return;
    const url = `data:image/png;base64,${picture.png}`;
    const alt = `${say(kind)}, ${say("image_n", { n: chosen + 1 })}`;
    if (isUltrasound) {
      viewer.show({
        url, width: picture.width_px, height: picture.height_px, pixelMm: picture.pixel_mm ?? undefined, alt,
      });
      viewer.setRoi(image.roi);
      extra.append(make("p", { className: "pr-small", textContent: say("draw") }));
      if (picture.frames > 1) extra.append(frameField(image, picture));
      if (images.length === 1) {
        extra.append(field(say("mask"), mask, bundle.masks_in_training ? say("masks_trained") : ""));
      }
    } else {
      stage.replaceChildren(make("img", { src: url, alt }));
      if (picture.kind === "slide") extra.append(make("p", { className: "pr-small", textContent: say("slide") }));
      extra.append(field(say("mpp"), mpp));
    }
  }

  function frameField(image, picture) {
    const box = make("input", {
      type: "number", min: "1", max: String(picture.frames), step: "1", id: fresh("frame"),
      value: String(picture.frame),
      onchange: () => {
        const frame = Math.min(Math.max(1, Math.round(Number(box.value)) || 1), picture.frames);
        look(chosen, frame);
      },
    });
    return field(say("frame", { frames: picture.frames }), box);
  }

  function complain(problem) {
    fault.textContent = spoken(problem);
    fault.hidden = false;
  }

  function forgive() {
    fault.hidden = true;
  }

  return {
    element, complain, forgive,
    filled: () => images.length > 0,
    owns: (place) => new RegExp(`^(${isUltrasound ? "ultrasound|mask|roi|frame" : "pathology|mpp"})`).test(place),
    add(form) {
      for (const { file, roi, frame } of images) {
        form.append(kind, file, nameless(file));
        if (!isUltrasound) continue;
        form.append("roi", roi ? [roi.left, roi.top, roi.width, roi.height].join(",") : "");
        form.append("frame", frame ? String(frame) : "");
      }
      if (isUltrasound && images.length === 1 && mask.files[0]) {
        form.append("mask", mask.files[0], nameless(mask.files[0]));
      }
      if (!isUltrasound && images.length && mpp.value) form.append("mpp", mpp.value);
    },
  };
}

function field(label, control, hint = "") {
  control.id ||= fresh("field");
  const children = [make("label", { htmlFor: control.id, textContent: label }), control];
  if (hint) {
    const id = fresh("hint");
    control.setAttribute("aria-describedby", id);
    children.push(make("span", { className: "ax-muted pr-small", id, textContent: hint }));
  }
  return make("div", { className: "pr-field" }, children);
}

export function clinicalFields({ say, bundle, language }) {
  const number = new Intl.NumberFormat(language, { maximumSignificantDigits: 4 });
  const fault = make("p", { className: "fault", role: "alert", hidden: true });
  const controls = bundle.clinical.map((column) => {
    if (column.kind === "number") {
      return make("input", { type: "number", step: "any", name: column.name, inputMode: "decimal" });
    }
    return make("select", { name: column.name }, [
      make("option", { value: "", textContent: say("unknown") }),
      ...column.levels.map((level) => make("option", { value: level, textContent: level })),
    ]);
  });
  const element = make("section", { className: "ax-card pr-card" }, [
    make("h2", { textContent: say("clinical") }),
    make("div", { className: "pr-fields" }, bundle.clinical.map((column, place) => field(
      column.name.replaceAll("_", " "), controls[place],
      column.low === null ? "" : say("seen", { low: number.format(column.low), high: number.format(column.high) }),
    ))),
    fault,
  ]);
  return {
    element,
    filled: () => controls.some((control) => control.value !== ""),
    owns: (place) => bundle.clinical.some((column) => column.name === place),
    complain(problem) {
      fault.textContent = spoken(problem);
      fault.hidden = false;
    },
    forgive: () => { fault.hidden = true; },
    add(form) {
      const known = controls.filter((control) => control.value !== "");
      form.append("clinical", JSON.stringify(Object.fromEntries(known.map((c) => [c.name, c.value]))));
    },
  };
}
