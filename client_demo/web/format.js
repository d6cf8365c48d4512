// Numbers as people read them: bytes, speeds, durations, dates. Pure. A number and its unit stay on one line.

const SPACE = "\u00a0";
const UNITS = ["bytes", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in decimal units, three significant digits: 999 → "999 bytes", 84123456 → "84.1 MB". */
export function formatBytes(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  if (unit === 0) return value === 1 ? `1${SPACE}byte` : `${value}${SPACE}bytes`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)}${SPACE}${UNITS[unit]}`;
}

/** Bytes per second. */
export function formatSpeed(bytesPerSecond) {
  return `${formatBytes(Math.round(bytesPerSecond))}/s`;
}

/** Seconds in at most two units, rounded to what matters: 8000 → "2 h 13 min". */
export function formatDuration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  const minutes = Math.round(whole / 60);
  const hours = Math.floor(minutes / 60);
  if (whole < 60) return joined(whole, "s");
  if (whole < 600) return joined(Math.floor(whole / 60), "min", whole % 60, "s");
  if (minutes < 60) return joined(minutes, "min");
  if (hours < 48) return joined(hours, "h", minutes % 60, "min");
  return joined(Math.round(hours / 24), "days");
}

/** A share of 1, rounded down so that 100 % means all of it. */
export function formatPercent(share) {
  return `${Math.floor(share * 100)}${SPACE}%`;
}

function joined(...words) {
  return words.join(SPACE);
}

const dateFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/** An RFC 3339 time in the reader's language and zone. */
export function formatDate(time) {
  return dateFormat.format(new Date(time));
}
