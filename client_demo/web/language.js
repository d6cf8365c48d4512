// The page's language: the browser's, or the one chosen before; can be changed while uploads run.

import { en } from "./messages-en.js";
import { zh } from "./messages-zh.js";

const KEY = "partway.language";
const LANGUAGES = { en: { messages: en, tag: "en" }, zh: { messages: zh, tag: "zh-Hans" } };

/** Dispatches "change". */
export const languageChanges = new EventTarget();

let current = remembered() ?? preferred();

/** The message `key` in the page's language, with `values` put in. */
export function t(key, values = {}) {
  const text = LANGUAGES[current].messages[key] ?? en[key];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Whether there is a message `key`. */
export function isMessage(key) {
  return key in en;
}

export function language() {
  return current;
}

/** The BCP 47 tag of the language, for Intl and `lang`. */
export function languageTag() {
  return LANGUAGES[current].tag;
}

export function chooseLanguage(code) {
  current = code;
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // Storage is forbidden: the choice holds until the page is closed.
  }
  languageChanges.dispatchEvent(new Event("change"));
}

/** What a button does, and aloud for whom: the words that are seen come first, as who speaks to the page says them. */
export function label(button, action, name) {
  // Only if it is another: selections and screen readers are not disturbed.
  if (button.textContent !== action) button.textContent = action;
  button.setAttribute("aria-label", t("actionOf", { action, name }));
}

/** Put the messages into what HTML names by `data-t`, `data-t-label` (aria-label) and `data-t-hint` (placeholder). */
export function translate(root) {
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const element of root.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
  }
  for (const element of root.querySelectorAll("[data-t-hint]")) element.placeholder = t(element.dataset.tHint);
}

function remembered() {
  try {
    const code = localStorage.getItem(KEY);
    return code in LANGUAGES ? code : null;
  } catch {
    return null;
  }
}

function preferred() {
  const wanted = (globalThis.navigator?.languages ?? []).map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((code) => code in LANGUAGES) ?? "en";
}
