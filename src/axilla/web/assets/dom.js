// Small things that every page's script needs: elements, words, and the API.

// `inside` are elements, texts, or lists of them; what is null or undefined is left out.
export function make(tag, properties = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && !name.includes("-")) element[name] = value;
    else if (value !== false) element.setAttribute(name, value);
  }
  element.append(...inside.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function told(name) {
  return JSON.parse(document.getElementById(`${name}-data`).textContent);
}

// Returns a text with {places} filled in.
export function filled(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// Returns a function that says a word.
export function speaker(words) {
  return (key, values) => filled(words[key] ?? key, values);
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

// Returns what the API says of a problem, in the language of the page.
export function spoken(problem) {
  return problem?.said || problem?.found || "";
}

export class Refused extends Error {
  constructor(status, content) {
    super(spoken(content?.detail) || `${status}`);
    this.status = status;
    this.content = content ?? {};
  }
}

// Returns the answer's status and content, null if that is no JSON; throws if there is no answer.
export async function request(path, { method = "GET", body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = document.querySelector("meta[name=csrf-token]")?.content ?? "";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body) });
  const content = await answer.json().catch(() => null);
  return { ok: answer.ok, status: answer.status, content };
}

// Returns what the API says; throws `Refused` if it refuses.
export async function ask(path, options) {
  const { ok, status, content } = await request(path, options);
  if (!ok) throw new Refused(status, content);
  return content;
}
