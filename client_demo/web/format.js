// Numbers as people read them, in the page's language: bytes, speeds, durations, dates.
// A number and its unit stay on one line.

import { isMessage, languageTag, t } from "./language.js";

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
  if (unit === 0) return unbroken(value === 1 ? t("byte") : t("bytes", { n: value }));
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)}${SPACE}${UNITS[unit]}`;
}

/** How many bytes of how many. */
export function formatAmount(sent, size) {
  return t("amount", { sent: formatBytes(sent), size: formatBytes(size) });
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
  if (whole < 60) return unbroken(t("seconds", { n: whole }));
  if (whole < 600) return unbroken(t("minutesSeconds", { m: Math.floor(whole / 60), s: whole % 60 }));
  if (minutes < 60) return unbroken(t("minutes", { n: minutes }));
  if (hours < 48) return unbroken(t("hoursMinutes", { h: hours, m: minutes % 60 }));
  return unbroken(t("days", { n: Math.round(hours / 24) }));
}

/** Speed and time left, as far as they are known. */
export function formatPace(speed, leftBytes) {
  return speed ? [formatSpeed(speed), unbroken(t("left", { time: formatDuration(leftBytes / speed) }))] : [];
}

/** A share of 1, rounded down so that 100 % means all of it. */
export function formatPercent(share) {
  return `${Math.floor(share * 100)}${SPACE}%`;
}

/** An RFC 3339 time in the reader's language and zone. */
export function formatDate(time) {
  const format = new Intl.DateTimeFormat(languageTag(), { dateStyle: "medium", timeStyle: "short" });
  return format.format(new Date(time));
}

/** An error in the server's own words, and what to do about it. */
export function formatError(error) {
  if (error.connectionLost) return t("noConnection");
  const advice = `advice.${error.code}`;
  return isMessage(advice) ? `${error.message} ${t(advice)}` : error.message;
}

function unbroken(text) {
  return text.replaceAll(" ", SPACE);
}
