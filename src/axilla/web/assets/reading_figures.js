// An image beside itself with the map laid over it.
import { make } from "./dom.js";

const MEMORY = "axilla-reading-opacity";
let strength = kept();

function kept() {
  const value = Number(localStorage.getItem(MEMORY) ?? 70);
  return value >= 0 && value <= 100 ? value : 70;
}

export const opacity = () => strength;

export function setOpacity(value) {
  strength = Math.min(Math.max(Math.round(value), 0), 100);
  localStorage.setItem(MEMORY, String(strength));
  document.querySelectorAll(".rd-map img").forEach((map) => { map.style.opacity = strength / 100; });
  document.querySelectorAll(".rd-opacity").forEach((slider) => {
    slider.value = strength;
    slider.nextElementSibling.textContent = `${strength} %`;
  });
}

function figure(code, image, say, withMap) {
  const path = `/api/readings/mine/cases/${code}/images/${image.modality}`;
  const layers = make("div", { className: "rd-layers" });
  layers.style.setProperty("--shape", image.width / image.height);
  layers.append(make("img", {
    src: `${path}/image`, width: image.width, height: image.height, alt: `${say(image.modality)}, ${code}`,
  }));
  if (withMap) {
    const [left, top, width, height] = image.box.map((side) => `${side}%`);
    const map = make("div", { className: "rd-map" }, [make("img", { src: `${path}/map`, alt: "" })]);
    Object.assign(map.style, { left, top, width, height });
    map.firstChild.style.opacity = strength / 100;
    layers.append(map);
  }
  return make("figure", {}, [
    make("div", { className: "rd-plate" }, [layers]),
    make("figcaption", { className: "ax-muted", textContent: say(withMap ? "with_map" : "image") }),
  ]);
}

export function figures(code, image, say) {
  const pair = make("div", { className: "rd-figures" }, [figure(code, image, say, false), figure(code, image, say, true)]);
  const slider = make("input", { type: "range", min: 0, max: 100, step: 5, className: "rd-opacity" });
  slider.value = strength;
  slider.addEventListener("input", () => setOpacity(Number(slider.value)));
  const larger = make("button", { type: "button", className: "ax-quiet", textContent: say("larger") });
  larger.addEventListener("click", () => {
    larger.textContent = say(pair.classList.toggle("rd-large") ? "smaller" : "larger");
  });
  return make("div", {}, [pair, make("div", { className: "rd-tools" }, [
    make("label", {}, [say("opacity"), slider, make("output", { textContent: `${strength} %` })]),
    make("span", { className: "rd-legend ax-muted" }, [say("little"), make("i"), say("much")]), larger,
  ])]);
}
