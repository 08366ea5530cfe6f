// Annotating: one image after the other, each change saved at once.

import { filled, make, present, told } from "./dom.js";
import { createViewer } from "./viewer.js";
import { ask, createSaving, said } from "./saving.js";
import {
  chip, createPictures, createWorklist, helpDialog, load, onKeys, shape, stepButtons,
} from "./worklist.js";

const { words, me, review } = told("annotate");
const unfinished = (item) => item.state === "new" || item.state === "draft";

present("annotate").then((root) => {
  const pictures = createPictures();
  const about = make("div", { class: "an-about" });
  const saved = make("p", { class: "an-saved", role: "status", "aria-live": "polite" });
  const stage = make("div", { class: "an-viewer" });
  const note = make("p", { class: "note", hidden: true, role: "status" });
  const fault = make("p", { class: "fault", hidden: true, role: "alert" });
  const suggest = make("button", { type: "button", class: "ax-quiet", onclick: useSuggestion });
  const absent = make("input", { type: "checkbox", id: "an-absent", onchange: edited });
  const comment = make("textarea", { id: "an-comment", rows: "2", maxlength: "2000", oninput: edited });
  const submit = make("button", { type: "button", class: "ax-button", text: words.submit, onclick: handIn });
  const reopen = make("button", { type: "button", class: "ax-quiet", text: words.reopen, onclick: openAgain });
  const help = helpDialog(words, [
    ["n p", words.key_next], ["u", words.key_unfinished], ["s", words.key_submit], ["g", words.key_suggestion],
    ["Enter", words.key_begin], ["← ↑ → ↓", words.key_move], ["Alt ← →", words.key_size], ["e", words.key_mode],
    ["+ - 0", words.key_zoom], ["b B c C x", words.key_look], ["Space", words.key_pan], ["Ctrl z", words.key_undo], ["?", words.key_help],
  ]);
  const aside = make("aside", { class: "an-list", "aria-label": words.worklist });
  const listing = make("details", { class: "an-fold", open: window.innerWidth > 1000 }, make("summary", { text: words.worklist }), aside);
  root.replaceChildren(listing, make("section", { class: "an-work", "aria-label": words.image },
    make("div", { class: "an-head" }, ...stepButtons(words, (by) => list.step(by)), about, saved), fault, note, stage,
    make("div", { class: "an-tools" },
      make("div", { class: "an-said" },
        make("label", { class: "an-check" }, absent, make("span", { text: words.absent })),
        make("label", { for: "an-comment", text: words.comment }), comment),
      make("div", { class: "an-acts" }, suggest, reopen, submit,
        make("button", { type: "button", class: "ax-quiet", text: words.help, onclick: () => help.showModal() })))));

  const viewer = createViewer(stage, { words: words.viewer, onChange: edited, onFault: () => tell(words.unreadable) });
  const saving = createSaving({
    me,
    on: {
      state: (name) => {
        saved.textContent = words[`save_${name}`];
        saved.dataset.state = name;
        if (name === "signed_out") saved.append(" ", make("a", { href: "/login?next=/annotate", text: words.sign_in, onclick: () => saving.leave() }));
      },
      saved: took,
      conflict: ask_which,
      refused: (key, answer) => { tell(`${words.not_saved} ${said(answer, "")}`); reload(key); },
    },
  });
  const list = createWorklist(aside, { words, open, finished: (item) => !unfinished(item), pointed, held: (image) => saving.waits(image) });
  let detail = null;
  let opening = 0;

  function pointed() {
    if (window.innerWidth <= 1000) listing.open = false;
    viewer.focus();
  }

  // ---- one image -----------------------------------------------------------------------------
  async function open(item) {
    const mine = ++opening;
    detail = null;
    tell("");
    viewer.show(null);
    head(item);
    controls();
    const [answer, url] = await Promise.all([
      ask("GET", `/api/rois/${item.image}`), pictures.get(item.image).catch(() => null),
    ]);
    if (mine !== opening) return;
    if (answer.status !== 200 || !url) {
      tell(said(answer, words.unreadable));
      return;
    }
    detail = answer.body;
    if (!saving.waits(item.image)) list.update(item.image, detail.item);
    viewer.show({ url, width: detail.width, height: detail.height, pixelMm: detail.pixel_mm, alt: item.patient_id });
    saving.seen(item.image, detail.drawing?.version ?? 0);
    const waiting = saving.content(item.image);
    fill(waiting ? { ...(detail.drawing ?? { state: "draft" }), ...waiting } : detail.drawing);
    pictures.ahead(list.around());
  }

  function fill(drawing) {
    viewer.setRoi(shape(drawing?.roi ?? null));
    absent.checked = drawing?.absent ?? false;
    comment.value = drawing?.comment ?? "";
    controls(drawing);
  }

  function controls(drawing = detail?.drawing) {
    const item = list.current();
    const state = drawing?.state ?? "new";
    const free = Boolean(detail) && ["new", "draft"].includes(state);
    const drawn = viewer.getRoi();
    viewer.setEditable(free && !absent.checked);
    const suggestion = detail?.suggestion;
    const offered = free && suggestion && !drawn && !absent.checked;
    const second = drawing?.review_roi && state !== "draft" ? shape(drawing.review_roi) : null;
    viewer.setOther(offered ? shape(suggestion.roi) : second, offered ? suggestion.source : "");
    suggest.hidden = !offered;
    suggest.textContent = filled(words.use_suggestion, { source: suggestion?.source ?? "" });
    absent.disabled = comment.disabled = !free;
    submit.disabled = !free || !(drawn || (absent.checked && comment.value.trim()));
    reopen.hidden = free || !detail || (state !== "submitted" && drawing?.annotator !== me && !review);
    note.hidden = !detail || (free && !offered);
    if (!note.hidden) {
      note.textContent = offered ? filled(words.suggested, { source: suggestion.source })
        : state === "submitted" && !list.all().some(unfinished) ? words.all_done : words[`told_${state}`];
    }
    if (item) head(item);
  }

  function head(item) {
    const part = item.parts > 1 ? filled(words.part, { part: item.part, parts: item.parts }) : "";
    about.replaceChildren(make("h2", { text: item.patient_id }), ...(part ? [make("span", { class: "ax-muted", text: part })] : []), chip(words, item.state));
  }

  function edited() {
    const item = list.current();
    if (!item || !detail) return;
    if (absent.checked && viewer.getRoi()) {
      detail.before = viewer.getRoi();
      viewer.setRoi(null);
    } else if (!absent.checked && !viewer.getRoi() && detail.before) viewer.setRoi(detail.before);
    const roi = viewer.getRoi();
    controls();
    if (!roi && !absent.checked) {
      saved.textContent = words.save_waiting;
      saved.dataset.state = "unsaved";
      return;
    }
    saving.change(item.image, { roi, absent: absent.checked, comment: comment.value });
  }

  function useSuggestion() {
    if (!suggest.hidden && detail?.suggestion) viewer.change(shape(detail.suggestion.roi));
    viewer.focus();
  }

  function took(key, drawing) {
    list.update(key, { state: drawing.state, version: drawing.version, annotator: drawing.annotator });
    if (list.current()?.image !== key || !detail) return;
    detail.drawing = drawing;
    if (!saving.waits(key)) controls(drawing);
  }

  function handIn() {
    const item = list.current();
    if (submit.disabled || !item) return;
    saving.submit(item.image);
    list.nextWhere((one) => one.image !== item.image && unfinished(one));
    viewer.focus();
  }

  async function openAgain() {
    const item = list.current();
    const answer = await ask("POST", `/api/rois/${item.image}/reopen`, { version: saving.version(item.image) });
    if (answer.status !== 200) tell(said(answer, words.unreachable));
    if (answer.status === 200) list.update(item.image, { state: answer.body.state, version: answer.body.version });
    reload(item.image);
  }

  function reload(key) {
    if (list.current()?.image === key) open(list.current());
  }

  function tell(text) {
    fault.textContent = text;
    fault.hidden = !text;
  }

  // ---- two versions --------------------------------------------------------------------------
  async function ask_which(key, yours, theirs) {
    const item = list.item(key) ?? { patient_id: "", image: key };
    const open_now = theirs === null || theirs.state === "draft";
    const keep = make("button", { type: "button", class: "ax-button", text: words.keep_mine, hidden: !open_now || yours.action !== "save" });
    const take = make("button", { type: "button", class: "ax-quiet", text: words.take_theirs });
    const sides = [[words.yours, yours], [filled(words.theirs, { name: theirs?.annotator ?? "" }), theirs]];
    const shows = [];
    const both = make("div", { class: "an-both" });
    const dialog = make("dialog", { class: "an-dialog an-conflict", "aria-labelledby": "an-conflict" },
      make("h2", { id: "an-conflict", text: filled(words.conflict, { patient: item.patient_id }) }),
      make("p", { text: open_now ? words.conflict_how : words.conflict_closed }), both, make("div", { class: "ax-row" }, keep, take));
    document.body.append(dialog);
    let chosen = false;
    // One of both must be chosen: browsers close dialogs at the second Escape, whatever we say.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => chosen || dialog.showModal());
    dialog.showModal();
    const [answer, url] = await Promise.all([ask("GET", `/api/rois/${key}`), pictures.get(key).catch(() => "")]);
    for (const [title, one] of sides) {
      const place = make("div", { class: "an-small" });
      const said_of = one?.absent ? words.absent : "";
      both.append(make("section", {}, make("h3", { text: title }), place, make("p", { class: "an-told", text: [said_of, one?.comment].filter(Boolean).join(": ") })));
      const small = createViewer(place, { words: words.viewer, editable: false });
      if (answer.status === 200) small.show({ url, width: answer.body.width, height: answer.body.height, pixelMm: answer.body.pixel_mm, alt: title });
      small.setRoi(shape(one?.roi ?? null));
      shows.push(small);
    }
    function close() {
      chosen = true;
      shows.forEach((one) => one.destroy());
      dialog.close();
      dialog.remove();
    }
    take.addEventListener("click", () => {
      close();
      saving.drop(key);
      if (theirs) {
        saving.adopt(key, theirs.version);
        list.update(key, { state: theirs.state, version: theirs.version, annotator: theirs.annotator });
      }
      reload(key);
    });
    keep.addEventListener("click", () => {
      close();
      saving.adopt(key, theirs?.version ?? 0);
      saving.change(key, { roi: shape(yours.roi ?? null), absent: yours.absent ?? false, comment: yours.comment ?? "" });
      reload(key);
    });
  }

  // ---- the whole worklist --------------------------------------------------------------------
  const going = (move) => () => { move(); viewer.focus(); };
  onKeys({
    n: going(() => list.step(1)), p: going(() => list.step(-1)), u: going(() => list.nextWhere(unfinished)),
    s: handIn, g: useSuggestion, "?": () => help.showModal(),
  }, viewer);
  load().then((answer) => {
    if (answer.status !== 200) return tell(said(answer, words.unreachable));
    list.set(answer.body.items);
    saved.textContent ||= words.save_saved;
    const wanted = list.item(window.location.hash.slice(1)) ?? list.all().find(unfinished) ?? list.first();
    if (wanted) list.go(wanted.image);
  });
});
