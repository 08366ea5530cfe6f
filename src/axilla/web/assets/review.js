// Reviewing: the second look at somebody else's rectangle; accept it, or draw it again.

import { filled, make, present, told } from "./dom.js";
import { createViewer } from "./viewer.js";
import { ask, said } from "./saving.js";
import {
  chip, createPictures, createWorklist, helpDialog, iou, load, onKeys, shape, stepButtons,
} from "./worklist.js";

const { words, me, may } = told("review");
const share = (value) => (value === null || value === undefined ? "–" : value.toFixed(2));

present("review").then((root) => {
  const pictures = createPictures();
  const about = make("div", { class: "an-about" });
  const stage = make("div", { class: "an-viewer" });
  const note = make("p", { class: "note", hidden: true, role: "status" });
  const became = make("p", { class: "note", hidden: true, role: "status" }); // of the image before
  const fault = make("p", { class: "fault", hidden: true, role: "alert" });
  const legend = make("ul", { class: "an-legend" });
  const overlap = make("p", { class: "an-iou", role: "status", "aria-live": "polite" });
  const absent = make("input", { type: "checkbox", id: "an-absent", onchange: drawn });
  const comment = make("textarea", { id: "an-comment", rows: "2", maxlength: "2000" });
  const own = make("div", { class: "an-said", hidden: true },
    make("label", { class: "an-check" }, absent, make("span", { text: words.absent })),
    make("label", { for: "an-comment", text: words.comment }), comment);
  const button = (text, act, strong = false) => make("button", { type: "button", class: strong ? "ax-button" : "ax-quiet", text, onclick: act });
  const accept = button(words.accept, () => decide("review", { verdict: "accept" }), true);
  const redraw = button(words.redraw, beginRedraw);
  const save = button(words.save_redraw, saveRedraw, true);
  const cancel = button(words.cancel, () => reload());
  const chooseFirst = button(words.choose_first, () => decide("settle", { choice: "first" }));
  const chooseSecond = button(words.choose_second, () => decide("settle", { choice: "second" }));
  const drawThird = button(words.draw_third, beginRedraw);
  const reopen = button(words.reopen, () => decide("reopen", {}, false));
  const acts = [accept, redraw, chooseFirst, chooseSecond, drawThird, save, cancel, reopen];
  const help = helpDialog(words, [
    ["n p", words.key_next], ["u", words.key_unfinished], ["a", words.key_accept], ["r", words.key_redraw], ["s", words.key_save_redraw],
    ["1 2", words.key_settle], ["Enter", words.key_begin], ["← ↑ → ↓", words.key_move], ["Alt ← →", words.key_size], ["e", words.key_mode],
    ["+ - 0", words.key_zoom], ["b B c C x", words.key_look], ["Space", words.key_pan], ["Ctrl z", words.key_undo], ["?", words.key_help],
  ]);
  const aside = make("aside", { class: "an-list", "aria-label": words.worklist });
  const listing = make("details", { class: "an-fold", open: window.innerWidth > 1000 }, make("summary", { text: words.worklist }), aside);
  const differ = make("section", { class: "ax-card", hidden: true });
  const agree = make("section", { class: "ax-card", hidden: true });
  root.replaceChildren(listing, make("section", { class: "an-work", "aria-label": words.image },
    make("div", { class: "an-head" }, ...stepButtons(words, (by) => going(() => list.step(by))()), about, overlap), fault, became, note, stage, legend,
    make("div", { class: "an-tools" }, own, make("div", { class: "an-acts" }, ...acts, button(words.help, () => help.showModal()))),
    make("div", { class: "an-sums" }, differ, agree)));

  const viewer = createViewer(stage, { words: words.viewer, editable: false, onChange: drawn, onFault: () => tell(words.unreadable) });
  const list = createWorklist(aside, {
    words, open, filter: may.review ? "submitted" : "disagreement",
    finished: (item) => item.state === "accepted", pointed,
    leaves: () => !drawing_now || !viewer.getRoi() || window.confirm(words.discard),
  });
  const mine = (item) => !item.own && ((may.review && item.state === "submitted")
    || (item.state === "disagreement" && item.reviewer !== me));
  let detail = null;
  let opening = 0;
  let drawing_now = false;

  function pointed() {
    if (window.innerWidth <= 1000) listing.open = false;
    viewer.focus();
  }

  async function open(item) {
    const turn = ++opening;
    if (item.image !== detail?.item.image) became.hidden = true;
    detail = null;
    drawing_now = false;
    tell("");
    note.hidden = true;
    viewer.show(null);
    controls(item);
    const [answer, url] = await Promise.all([ask("GET", `/api/rois/${item.image}`), pictures.get(item.image).catch(() => null)]);
    if (turn !== opening) return;
    if (answer.status !== 200 || !url) return tell(said(answer, words.unreadable));
    detail = answer.body;
    list.update(item.image, detail.item);
    viewer.show({ url, width: detail.width, height: detail.height, pixelMm: detail.pixel_mm, alt: item.patient_id });
    controls(list.current());
    pictures.ahead(list.around());
  }

  // What is shown: the first reader's rectangle dashed, the second's, or the one being drawn, whole.
  function controls(item) {
    const drawing = detail?.drawing ?? null;
    const state = drawing?.state ?? "new";
    const judged = state === "accepted" || state === "disagreement";
    const allowed = Boolean(drawing) && !item.own;
    const settles = allowed && state === "disagreement" && drawing.reviewer !== me && (may.settle || may.review);
    const shows = (act, on) => { act.hidden = !on; };
    about.replaceChildren(make("h2", { text: item.patient_id }), ...(item.parts > 1 ? [make("span", { class: "ax-muted", text: filled(words.part, item) })] : []), chip(words, item.state));
    viewer.setEditable(drawing_now && !absent.checked);
    if (!drawing_now) viewer.setRoi(judged ? shape(drawing.review_roi) : null);
    viewer.setOther(shape(drawing?.roi ?? null), filled(words.first, { name: drawing?.annotator ?? "" }));
    own.hidden = !drawing_now;
    shows(accept, allowed && may.review && state === "submitted" && !drawing_now);
    shows(redraw, allowed && may.review && state === "submitted" && !drawing_now);
    [chooseFirst, chooseSecond, drawThird].forEach((act) => shows(act, settles && !drawing_now));
    shows(save, drawing_now);
    shows(cancel, drawing_now);
    shows(reopen, Boolean(drawing) && state !== "draft" && !drawing_now);
    save.disabled = !(viewer.getRoi() || (absent.checked && comment.value.trim()));
    legend.replaceChildren(...(drawing ? [key("an-first", filled(words.first, { name: drawing.annotator }), drawing.absent, drawing.comment)] : []),
      ...(judged || drawing_now ? [key("an-second", judged ? filled(words.second, { name: drawing.reviewer ?? "" }) : words.mine, judged && drawing.review_absent, judged ? drawing.review_comment : "")] : []));
    overlap.textContent = drawing_now ? filled(words.iou, { iou: share(iou(viewer.getRoi(), shape(drawing.roi))) }) : judged ? filled(words.iou, { iou: share(drawing.iou) }) : "";
    if (!detail) return;
    const text = item.own && !judged ? words.own : drawing_now ? "" : settles ? words.settle_how : words[`told_${state}`] ?? "";
    note.textContent = text;
    note.hidden = !text;
  }

  function key(name, text, none, comment_of) {
    const more = [none ? words.absent : "", comment_of].filter(Boolean).join(": ");
    return make("li", { class: name, text: more ? `${text} (${more})` : text });
  }

  function beginRedraw() {
    if (redraw.hidden && drawThird.hidden) return;
    drawing_now = true;
    viewer.setRoi(null);
    absent.checked = false;
    comment.value = "";
    controls(list.current());
    viewer.focus();
  }

  function drawn() {
    if (absent.checked && viewer.getRoi()) viewer.setRoi(null);
    if (drawing_now) controls(list.current());
  }
  comment.addEventListener("input", drawn);

  function saveRedraw() {
    if (save.hidden || save.disabled) return;
    const body = { roi: viewer.getRoi(), absent: absent.checked, comment: comment.value };
    if (detail.drawing.state === "disagreement") decide("settle", { choice: "drawn", ...body });
    else decide("review", { verdict: "redraw", ...body });
  }

  async function decide(what, body, on = true) {
    const item = list.current();
    if (!detail?.drawing) return;
    became.hidden = true;
    acts.forEach((act) => { act.disabled = true; });
    const answer = await ask("POST", `/api/rois/${item.image}/${what}`, { version: detail.drawing.version, ...body });
    acts.forEach((act) => { act.disabled = false; });
    const stays = list.current() === item; // else somebody went on before the answer came
    if (!stays && answer.status !== 200) return tell(`${item.patient_id}: ${said(answer, words.unreachable)}`);
    if (answer.status === 0 || answer.status >= 500) {
      controls(item);
      return tell(words.unreachable); // what was drawn stays on the screen
    }
    if (answer.status !== 200) {
      await open(item);
      return tell(answer.status === 409 ? words.changed : said(answer, words.unreachable));
    }
    const drawing = answer.body.drawing ?? answer.body;
    list.update(item.image, { state: drawing.state, version: drawing.version, iou: drawing.iou, reviewer: drawing.reviewer });
    const told = [
      drawing.state === "disagreement" && filled(words.became_disagreement, { iou: share(drawing.iou) }),
      answer.body.mask_dropped && words.mask_dropped,
      answer.body.filed === false && `${words.not_filed} ${answer.body.note}`,
    ].filter(Boolean).join(" ");
    if (stays) {
      drawing_now = false;
      if (!on || !list.nextWhere((one) => one.image !== item.image && mine(one))) await open(item);
    }
    became.hidden = !told;
    became.textContent = `${item.patient_id}: ${told}`;
    sums();
    viewer.focus();
  }

  const reload = () => list.current() && open(list.current());
  function tell(text) {
    fault.textContent = text;
    fault.hidden = !text;
  }

  // ---- disagreements and agreement -----------------------------------------------------------
  // Until there is something to say, a section is neither shown nor named.
  function begin(section, id, title) {
    section.replaceChildren(make("h2", { id, text: title }));
    section.setAttribute("aria-labelledby", id);
    section.hidden = false;
  }

  async function sums() {
    const open_ones = list.all().filter((item) => item.state === "disagreement").sort((a, b) => (a.iou ?? 0) - (b.iou ?? 0));
    begin(differ, "an-differ", filled(words.disagreements, { count: open_ones.length }));
    if (open_ones.length) {
      differ.append(make("ul", { class: "an-differ" }, ...open_ones.map((item) => make("li", {},
        make("button", { type: "button", class: "an-link", text: item.patient_id, onclick: () => list.go(item.image) }),
        make("span", { class: "ax-muted", text: `${filled(words.iou, { iou: share(item.iou) })} · ${item.annotator} / ${item.reviewer}` })))));
    } else differ.append(make("p", { class: "ax-muted", text: words.no_disagreements }));
    const answer = await ask("GET", "/api/rois/agreement");
    if (answer.status !== 200) return;
    begin(agree, "an-agree", filled(words.agreement, { count: answer.body.images }));
    if (!answer.body.images) return agree.append(make("p", { class: "ax-muted", text: words.no_agreement }));
    const rows = answer.body.numbers.map((number) => make("tr", {}, make("th", { scope: "row", text: words[`number_${number.key}`] ?? number.key }),
      make("td", { text: written(number), title: number.method }), make("td", { class: "ax-muted", text: `n = ${number.n}` })));
    agree.append(make("table", { class: "an-numbers" }, make("tbody", {}, ...rows)), make("p", { class: "ax-muted", text: words.anchoring }));
  }

  function written({ key: name, value, low, high, unit }) {
    if (value === null) return "–";
    const percent = !["iou", "distance", "icc_area"].includes(name);
    const shown = (one) => (one === null ? "–" : percent ? `${Math.round(one * 100)} %` : one.toFixed(2));
    const label = name === "distance" ? ` ${unit}` : "";
    return low === null ? `${shown(value)}${label}` : `${shown(value)}${label} (${shown(low)} – ${shown(high)})`;
  }

  const going = (move) => () => { move(); viewer.focus(); };
  const press = (act) => () => { if (!act.hidden && !act.disabled) act.click(); };
  onKeys({
    n: going(() => list.step(1)), p: going(() => list.step(-1)), u: going(() => list.nextWhere(mine)),
    a: press(accept), r: beginRedraw, s: saveRedraw, 1: press(chooseFirst), 2: press(chooseSecond), "?": () => help.showModal(),
  }, viewer);
  window.addEventListener("beforeunload", (event) => { if (drawing_now && viewer.getRoi()) event.preventDefault(); });
  load().then((answer) => {
    if (answer.status !== 200) return tell(said(answer, words.unreachable));
    list.set(answer.body.items);
    sums();
    const wanted = list.item(window.location.hash.slice(1)) ?? list.all().find(mine) ?? list.first();
    if (wanted) list.go(wanted.image);
  });
});
