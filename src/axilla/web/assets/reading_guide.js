// How to read, and the keys; single keys can be switched off, for those who speak to their computer.
import { make } from "./dom.js";

const MEMORY = "axilla-reading-keys";
const KEYS = [
  [["Y", "N"], "key_answer"], [["J", "K"], "key_row"], [["[", "]"], "key_case"],
  [["U"], "key_open"], [["M"], "key_map"], [["-", "+"], "key_opacity"],
];

export const keysOn = () => localStorage.getItem(MEMORY) !== "off";

export function guide(say) {
  const box = make("input", { type: "checkbox", checked: keysOn() });
  box.addEventListener("change", () => localStorage.setItem(MEMORY, box.checked ? "on" : "off"));
  return make("details", { className: "rd-guide" }, [
    make("summary", { textContent: say("how") }),
    make("ol", {}, [1, 2, 3, 4].map((number) => make("li", { textContent: say(`how_${number}`) }))),
    make("div", { className: "rd-keys" }, [
      make("label", {}, [box, say("keys_on")]),
      ...KEYS.map(([keys, word]) => make("span", {}, [...keys.map((key) => make("kbd", { textContent: key })), say(word)])),
    ]),
  ]);
}
