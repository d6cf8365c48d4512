// SHA-256 of blobs, away from the page. Takes {id, blob}; answers {id, digest} or {id, unreadable}.

globalThis.addEventListener("message", async ({ data: { id, blob } }) => {
  try {
    const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
    postMessage({ id, digest }, { transfer: [digest] });
  } catch {
    postMessage({ id, unreadable: true });
  }
});
