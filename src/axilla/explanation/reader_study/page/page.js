"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const memory = `reading-${data.packet}-${data.reader}`;
  const byId = (id) => document.getElementById(id);
  let state = { at: 0, opacity: 70, answers: {} };
  let unsaved = false;

  // Every question of the packet, by case.
  const questions = new Map(data.cases.map((one) => [one.case, one.images.flatMap((image) =>
    data.criteria[image.modality].map((criterion) => ({
      case: one.case, modality: image.modality, criterion,
      key: [one.case, image.modality, criterion].join("|"),
    })))]));
  const all = [...questions.values()].flat();

  const complete = (answer) => Boolean(answer && answer.present
    && (answer.present === "no" || answer.attention_matches));
  const rated = (name) => questions.get(name).filter((q) => complete(state.answers[q.key])).length;
  const finished = (name) => rated(name) === questions.get(name).length;

  function alertWith(text) {
    byId("alert").textContent = text;
    byId("alert").hidden = !text;
  }

  function remember() {
    try {
      localStorage.setItem(memory, JSON.stringify(state));
    } catch {
      alertWith("This browser does not keep answers when the page is closed. Save them as JSON before you leave.");
    }
  }

  function recall() {
    try {
      const kept = JSON.parse(localStorage.getItem(memory));
      if (kept && kept.answers) state = { ...state, ...kept };
    } catch {
      alertWith("The answers kept in this browser could not be read. Load your last saved JSON file.");
    }
    state.at = Math.min(Math.max(Number(state.at) || 0, 0), data.cases.length - 1);
  }

  function make(tag, properties = {}, children = []) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  function picture(image, withMap) {
    const layers = make("div", { className: "layers" });
    layers.style.setProperty("--shape", image.size[0] / image.size[1]);
    const [width, height] = image.size;
    layers.append(make("img", { src: image.image, alt: `${image.modality} image`, width, height }));
    if (withMap) {
      const [left, top, across, down] = image.box.map((side) => `${side}%`);
      const map = make("div", { className: "map" }, [make("img", { src: image.map, alt: "attention map" })]);
      Object.assign(map.style, { left, top, width: across, height: down });
      map.firstChild.style.opacity = state.opacity / 100;
      layers.append(map);
    }
    return make("figure", {}, [
      make("div", { className: "plate" }, [layers]),
      make("figcaption", { textContent: withMap ? "with attention; dashed: where the model looked" : "image" }),
    ]);
  }

  function setOpacity(value) {
    state.opacity = Number(value);
    document.querySelectorAll(".map img").forEach((map) => { map.style.opacity = state.opacity / 100; });
    document.querySelectorAll(".opacity").forEach((input) => {
      input.value = state.opacity;
      input.nextSibling.value = `${state.opacity} %`;
    });
    remember();
  }

  function tools(pair) {
    const slider = make("input", { type: "range", min: 0, max: 100, step: 5, className: "opacity" });
    slider.value = state.opacity;
    slider.addEventListener("input", () => setOpacity(slider.value));
    const larger = make("button", { type: "button", textContent: "Larger" });
    larger.addEventListener("click", () => {
      larger.textContent = pair.classList.toggle("large") ? "Side by side" : "Larger";
    });
    return make("div", { className: "tools" }, [
      make("label", {}, ["Map opacity", slider, make("output", { value: `${state.opacity} %` })]),
      make("span", { className: "bar" }, ["little attention", make("i"), "much"]),
      larger,
    ]);
  }

  function choice(question, field, legend, row) {
    const set = make("fieldset", {}, [make("legend", { textContent: legend })]);
    set.setAttribute("aria-label", `${question.criterion}: ${legend}`);
    for (const value of ["yes", "no"]) {
      const input = make("input", { type: "radio", name: `${question.key}|${field}`, value });
      input.checked = (state.answers[question.key] || {})[field] === value;
      input.addEventListener("change", () => answer(question, { [field]: value }, row));
      set.append(make("label", {}, [input, value]));
    }
    return set;
  }

  function questionRow(question) {
    const row = make("div", { className: "question" });
    const present = choice(question, "present", "Present", row);
    const matches = choice(question, "attention_matches", "Attention matches", row);
    const comment = make("input", { type: "text", placeholder: "Comment", maxLength: 500 });
    comment.value = (state.answers[question.key] || {}).comment || "";
    comment.setAttribute("aria-label", `Comment on ${question.criterion}`);
    comment.addEventListener("change", () => answer(question, { comment: comment.value }, row));
    const clear = make("button", { type: "button", textContent: "Clear" });
    clear.setAttribute("aria-label", `Clear ${question.criterion}`);
    clear.addEventListener("click", () => {
      delete state.answers[question.key];
      changed();
      const empty = questionRow(question);
      row.replaceWith(empty);
      empty.querySelector("input").focus();
    });
    row.append(make("span", { className: "name", textContent: question.criterion }), present, matches, comment, clear);
    mark(question, row);
    return row;
  }

  function mark(question, row) {
    const given = state.answers[question.key] || {};
    const matches = row.querySelectorAll("fieldset")[1];
    matches.disabled = given.present !== "yes";
    row.classList.toggle("done", complete(given));
    row.classList.toggle("half", given.present === "yes" && !given.attention_matches);
  }

  function answer(question, change, row) {
    const given = { ...state.answers[question.key], ...change };
    if (given.present === "no") {
      given.attention_matches = "";
      row.querySelectorAll("fieldset")[1].querySelectorAll("input").forEach((input) => { input.checked = false; });
    }
    state.answers[question.key] = given;
    mark(question, row);
    changed();
  }

  function changed() {
    unsaved = true;
    remember();
    count();
  }

  function count() {
    const done = all.filter((question) => complete(state.answers[question.key])).length;
    const cases = data.cases.filter((one) => finished(one.case)).length;
    byId("progress").value = done / all.length;
    byId("count").textContent = `of ${data.cases.length}; ${cases} finished`;
    [...byId("jump").options].forEach((option, i) => {
      const name = data.cases[i].case;
      option.textContent = `${i + 1} · ${name}${finished(name) ? " ✓" : rated(name) ? " …" : ""}`;
    });
    byId("open").disabled = cases === data.cases.length;
  }

  function show(at, move = true) {
    state.at = Math.min(Math.max(at, 0), data.cases.length - 1);
    const one = data.cases[state.at];
    byId("case").replaceChildren(...one.images.map((image) => {
      const pair = make("div", { className: "pair" }, [picture(image, false), picture(image, true)]);
      const rows = questions.get(one.case).filter((question) => question.modality === image.modality);
      return make("section", {}, [
        make("h2", { textContent: image.modality }), pair, tools(pair),
        make("div", { className: "questions" }, rows.map(questionRow)),
      ]);
    }));
    byId("jump").selectedIndex = state.at;
    byId("previous").disabled = state.at === 0;
    byId("next").disabled = state.at === data.cases.length - 1;
    const following = data.cases[state.at + 1];
    if (following) following.images.forEach((image) => { new Image().src = image.image; new Image().src = image.map; });
    if (move) {
      byId("guide").open = false;
      window.scrollTo(0, 0);
      byId("case").focus({ preventScroll: true });
    }
    remember();
    count();
  }

  function nextOpen() {
    for (let step = 1; step <= data.cases.length; step += 1) {
      const at = (state.at + step) % data.cases.length;
      if (!finished(data.cases[at].case)) return show(at);
    }
    return undefined;
  }

  const rows = () => all.map((question) => {
    const { present = "", attention_matches = "", comment = "" } = state.answers[question.key] || {};
    return { reader: data.reader, case: question.case, modality: question.modality,
      criterion: question.criterion, present, attention_matches, comment, packet: data.packet };
  });

  function download(name, text, type) {
    const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    unsaved = false;
  }

  function saveCsv() {
    const cell = (value) => (/[",;\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const lines = [data.columns, ...rows().map((row) => data.columns.map((name) => row[name]))];
    const text = lines.map((line) => line.map(cell).join(",")).join("\r\n");
    download(`answers-${data.reader}.csv`, `\ufeff${text}\r\n`, "text/csv");
  }

  function saveJson() {
    const answers = rows().filter((row) => row.present || row.attention_matches || row.comment);
    const content = { packet: data.packet, reader: data.reader, answers };
    download(`answers-${data.reader}.json`, JSON.stringify(content, null, 1), "application/json");
  }

  async function load(file) {
    try {
      const content = JSON.parse(await file.text());
      if (content.packet !== data.packet || content.reader !== data.reader) {
        alertWith("That file belongs to another reader or to another packet; nothing was loaded.");
        return;
      }
      const known = new Set(all.map((question) => question.key));
      for (const { case: name, modality, criterion, present, attention_matches, comment } of content.answers) {
        const key = [name, modality, criterion].join("|");
        if (known.has(key)) state.answers[key] = { present, attention_matches, comment };
      }
      alertWith("");
      show(state.at);
    } catch {
      alertWith("That file could not be read; nothing was loaded. Choose a JSON file that this page saved.");
    }
  }

  byId("jump").append(...data.cases.map(() => make("option")));
  byId("jump").addEventListener("change", () => show(byId("jump").selectedIndex));
  byId("previous").addEventListener("click", () => show(state.at - 1));
  byId("next").addEventListener("click", () => show(state.at + 1));
  byId("open").addEventListener("click", nextOpen);
  byId("csv").addEventListener("click", saveCsv);
  byId("json").addEventListener("click", saveJson);
  byId("load").addEventListener("change", () => {
    if (byId("load").files.length) load(byId("load").files[0]);
    byId("load").value = "";
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input[type=text], select")) return;
    const moves = { n: () => show(state.at + 1), p: () => show(state.at - 1), u: nextOpen,
      m: () => setOpacity(state.opacity ? 0 : 70) };
    const move = moves[event.key.toLowerCase()];
    if (move) move();
  });
  window.addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });

  recall();
  byId("guide").open = !Object.keys(state.answers).length;
  show(state.at, false);
})();
