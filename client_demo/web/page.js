// Puts the page together: choosing and dropping files, the three lists, and who tells whom.

import { Api } from "./api.js";
import { notify } from "./dialogs.js";
import { FileList } from "./file-list.js";
import { Transfers } from "./transfers.js";
import { UnfinishedList } from "./unfinished-list.js";
import { UnfinishedUploads } from "./unfinished.js";

const element = (id) => document.getElementById(id);

const api = new Api(new URL("./", document.baseURI));
const unfinished = new UnfinishedUploads(localStorage);
const transfers = new Transfers(element("transfers"), { api, unfinished });
const unfinishedList = new UnfinishedList(element("unfinished"), { api, unfinished, transfers });
const files = new FileList({
  api,
  list: element("files"),
  note: element("files-note"),
  more: element("more"),
  search: element("search"),
});

transfers.addEventListener("published", () => files.refresh());
transfers.addEventListener("settled", () => unfinishedList.refresh());

async function take(chosen) {
  notify("");
  for (const file of chosen) await transfers.add(file);
  await unfinishedList.refresh();
}

/** Dropped files; folders cannot be sent, and say so. */
function droppedFiles(transfer) {
  const items = Array.from(transfer.items).filter((item) => item.kind === "file");
  const folders = items.filter((item) => item.webkitGetAsEntry()?.isDirectory);
  if (folders.length) notify("Folders cannot be sent, only files.");
  return items.filter((item) => !folders.includes(item)).map((item) => item.getAsFile());
}

const picker = element("picker");
picker.addEventListener("change", async () => {
  const chosen = Array.from(picker.files);
  // So that choosing the same file again is a change again.
  picker.value = "";
  await take(chosen);
});

const drop = element("drop");
window.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
window.addEventListener("drop", async (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  await take(droppedFiles(event.dataTransfer));
});

await Promise.all([files.refresh(), unfinishedList.refresh()]);
