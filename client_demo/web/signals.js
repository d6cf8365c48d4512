// Abort signals, put together. Node 18 and browsers of 2022 have no AbortSignal.any. No DOM.

/** A signal that aborts when the first of these does, with its reason; those missing are left out. */
export function anySignal(...signals) {
  const present = signals.filter(Boolean);
  const control = new AbortController();
  const follow = ({ target }) => {
    control.abort(target.reason);
    for (const signal of present) signal.removeEventListener("abort", follow);
  };
  for (const signal of present) {
    if (signal.aborted) control.abort(signal.reason);
    else signal.addEventListener("abort", follow, { signal: control.signal });
  }
  return control.signal;
}
