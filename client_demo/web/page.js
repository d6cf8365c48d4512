// Puts the page together: choosing and dropping files, the lists, the language, and who tells whom.

import { canPickHandles, fromInput, fromTransfer, pickWithHandles } from "./choosing.js";
import { notify } from "./dialogs.js";
import { canDigest, fingerprintOf } from "./digests.js";
import { Downloads } from "./downloads.js";
import { FileList } from "./file-list.js";
import { chooseLanguage, language, languageChanges, languageTag, t, translate } from "./language.js";
import { keyOf, keysOf, UploadQueue } from "./queue.js";
import { UploadRecords } from "./records.js";
import { TransfersView } from "./transfers.js";
import { UnfinishedList } from "./unfinished-list.js";
import { Api, State } from "./uploader.js";

const element = (id) => document.getElementById(id);

const api = new Api(new URL("./", document.baseURI));
const records = new UploadRecords();
const queue = new UploadQueue({ api });
const downloads = new Downloads(element("downloads"), { api });
const files = new FileList({
  api,
  list: element("files"),
  note: element("files-note"),
  more: element("more"),
  search: element("search"),
  downloads,
});
const unfinished = new UnfinishedList(element("unfinished"), { api, records, queue, onResume: take });
new TransfersView(element("uploads"), { queue, url: (file) => api.contentUrl(file) });

/** File → what may read it again another day. */
const handles = new WeakMap();

function take(items) {
  notify(items.length ? "" : t("nothingToSend"));
  for (const { file, handle } of items) if (handle) handles.set(file, handle);
  queue.add(items);
}

async function remember({ upload, file, path, state }) {
  if (upload.status !== "open") return;
  const { name: filename, size, lastModified } = file;
  const fingerprint = await fingerprintOf(file, path);
  const handle = handles.get(file);
  if (state !== State.CANCELLED) await records.remember({ id: upload.id, filename, path, size, lastModified, fingerprint, handle });
}

queue.addEventListener("added", ({ detail: added }) => {
  records.rememberWaiting(added.map(({ file, path }) => ({ key: keyOf(file, path), filename: file.name, path })));
});
queue.addEventListener("removed", ({ detail: removed }) => records.forgetWaiting(keysOf(removed)));
queue.addEventListener("upload", async ({ detail: { uploader } }) => {
  await remember(uploader);
  await records.forgetWaiting(keysOf([uploader]));
  if (uploader.state === State.DONE || uploader.state === State.CANCELLED) await records.forget(uploader.upload.id);
});

// Many small files end within a second: the lists are asked for once.
const refreshSoon = gathered(() => Promise.all([files.refresh(), unfinished.refresh()]), 400);
queue.addEventListener("change", async ({ detail: { uploader } }) => {
  const { state, upload } = uploader;
  if (state !== State.DONE && state !== State.CANCELLED) return;
  if (upload) await records.forget(upload.id);
  if (state === State.DONE) refreshSoon();
});

function gathered(action, delay) {
  let timer = 0;
  return () => {
    timer ||= setTimeout(() => {
      timer = 0;
      action();
    }, delay);
  };
}

const picker = element("picker");
const folderPicker = element("folder-picker");
for (const input of [picker, folderPicker]) {
  input.addEventListener("change", () => {
    const chosen = fromInput(input);
    // So that choosing the same file again is a change again.
    input.value = "";
    take(chosen);
  });
}
element("choose").addEventListener("click", async () => {
  if (!canPickHandles()) return picker.click();
  const chosen = await pickWithHandles();
  if (chosen) take(chosen);
  return undefined;
});
element("choose-folder").addEventListener("click", () => folderPicker.click());

const drop = element("drop");
const carriesFiles = (transfer) => Array.from(transfer?.types ?? []).includes("Files");
window.addEventListener("dragover", (event) => {
  if (!carriesFiles(event.dataTransfer)) return;
  event.preventDefault();
  drop.classList.add("over");
});
window.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
window.addEventListener("drop", async (event) => {
  if (!carriesFiles(event.dataTransfer)) return;
  event.preventDefault();
  drop.classList.remove("over");
  take(await fromTransfer(event.dataTransfer));
});
window.addEventListener("paste", async (event) => {
  if (!carriesFiles(event.clipboardData)) return;
  event.preventDefault();
  take(await fromTransfer(event.clipboardData));
});

const languagePicker = element("language");
languagePicker.value = language();
languagePicker.addEventListener("change", () => chooseLanguage(languagePicker.value));
function speak() {
  document.documentElement.lang = languageTag();
  translate(document);
}
languageChanges.addEventListener("change", speak);
speak();

element("insecure").hidden = canDigest();
await Promise.all([files.refresh(), unfinished.load()]);
