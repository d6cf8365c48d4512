// Questions and messages to the person: one confirmation dialog, one notice, one live region for screen readers.

const element = (id) => document.getElementById(id);

/** Ask before something is lost. Resolves to true only when the person says yes. */
export function confirmed({ title, text, yes, no }) {
  const dialog = element("confirm");
  element("confirm-title").textContent = title;
  element("confirm-text").textContent = text;
  element("confirm-yes").textContent = yes;
  element("confirm-no").textContent = no;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Show a message above the drop area until the next one; an empty text hides it. */
export function notify(text) {
  const notice = element("notice");
  notice.textContent = text;
  notice.hidden = !text;
}

/** Tell screen readers about a milestone. */
export function announce(text) {
  element("live").textContent = text;
}

/** A copy of what a template holds. */
export function fromTemplate(id) {
  return element(id).content.firstElementChild.cloneNode(true);
}
