// Files from a picker, a drop or the clipboard, as {file, path, handle?}: `path` is relative to the folder that was
// chosen, `handle` is what may read the file again another day (File System Access API), where there is one.

/** What an <input type=file> holds; of a folder's files, their path. */
export function fromInput(input) {
  return Array.from(input.files, (file) => ({ file, path: file.webkitRelativePath || "" }));
}

export const canPickHandles = () => typeof globalThis.showOpenFilePicker === "function";

/** Ask for files with the picker that gives handles. Resolves to null when the person chose none. */
export async function pickWithHandles() {
  try {
    const handles = await showOpenFilePicker({ multiple: true });
    return Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), path: "", handle })));
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
}

/** All files of a drop or of a paste, those in folders too. */
export async function fromTransfer(transfer) {
  // All of it has to be asked for before the first await: then the browser empties the transfer.
  const items = Array.from(transfer.items).filter((item) => item.kind === "file");
  const taken = items.map((item) => ({
    entry: item.webkitGetAsEntry?.(),
    file: item.getAsFile(),
    handle: item.getAsFileSystemHandle?.().catch(() => null),
  }));
  const found = await Promise.all(taken.map(fromItem));
  return found.flat();
}

async function fromItem({ entry, file, handle }) {
  if (entry?.isDirectory) return fromDirectory(entry);
  return file ? [{ file, path: "", handle: (await handle) ?? undefined }] : [];
}

async function fromDirectory(directory) {
  const found = [];
  const reader = directory.createReader();
  for (;;) {
    // Browsers give a hundred or so at a time, and none at the end.
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return found;
    for (const entry of entries) {
      if (entry.isDirectory) found.push(...(await fromDirectory(entry)));
      else found.push({ file: await fileOf(entry), path: entry.fullPath.replace(/^\//, "") });
    }
  }
}

function fileOf(entry) {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}
