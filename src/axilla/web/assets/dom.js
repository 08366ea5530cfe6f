// Small things that every page's script needs: elements, words, and the API.

export function make(tag, properties = {}, children = []) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function told(name) {
  return JSON.parse(document.getElementById(`${name}-data`).textContent);
}

// Returns a function that says a word, with {places} filled in.
export function speaker(words) {
  return (key, values = {}) => (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// The page's elements are made by the server's framework, after this script was loaded.
export function present(id) {
  const found = document.getElementById(id);
  if (found) return Promise.resolve(found);
  return new Promise((resolve) => {
    const watching = new MutationObserver(() => {
      const element = document.getElementById(id);
      if (!element) return;
      watching.disconnect();
      resolve(element);
    });
    watching.observe(document.documentElement, { childList: true, subtree: true });
  });
}

export class Refused extends Error {
  constructor(status, content) {
    const detail = content?.detail ?? {};
    const said = [detail.found && `${detail.place}: ${detail.found}`, detail.remedy].filter(Boolean);
    super(said.join(". ") || `${status}`);
    this.status = status;
    this.content = content ?? {};
  }
}

export async function ask(path, { method = "GET", body } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf-token]")?.content ?? "";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  let content = null;
  try {
    content = text ? JSON.parse(text) : null;
  } catch {
    content = null;
  }
  if (!answer.ok) throw new Refused(answer.status, content);
  return content;
}
