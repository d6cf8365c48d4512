// A list that may be long: only rows near the visible part are in the document. All rows have the height CSS gives.

const MARGIN_ROWS = 4;

export class WindowedList {
  #viewport;
  #list;
  #makeRow;
  #items = [];
  /** Item → its row's element, for rows in the document. */
  #rows = new Map();
  #rowHeight = 0;
  #drawing = 0;

  /** `makeRow(item)` gives an element with a method `draw`. `viewport` scrolls, `list` is in it. */
  constructor(viewport, list, makeRow) {
    this.#viewport = viewport;
    this.#list = list;
    this.#makeRow = makeRow;
    viewport.addEventListener("scroll", () => this.drawSoon(), { passive: true });
    new ResizeObserver(() => {
      this.#rowHeight = 0;
      this.drawSoon();
    }).observe(viewport);
  }

  show(items) {
    this.#items = items;
    this.drawSoon();
  }

  /** Draw before the next frame. */
  drawSoon() {
    this.#drawing ||= requestAnimationFrame(() => {
      this.#drawing = 0;
      this.#draw();
    });
  }

  #draw() {
    this.#rowHeight ||= this.#measured();
    const [first, last] = this.#range();
    this.#drop(new Set(this.#items.slice(first, last)));
    for (let index = first; index < last; index += 1) this.#place(this.#items[index], index);
    this.#list.style.height = `${this.#items.length * this.#rowHeight}px`;
  }

  #range() {
    if (!this.#rowHeight) return [0, 0];
    const { scrollTop, clientHeight } = this.#viewport;
    const first = Math.floor(scrollTop / this.#rowHeight) - MARGIN_ROWS;
    const last = Math.ceil((scrollTop + clientHeight) / this.#rowHeight) + MARGIN_ROWS;
    return [Math.max(0, first), Math.min(this.#items.length, Math.max(last, 2 * MARGIN_ROWS))];
  }

  /** Take rows out that are not wanted; the one with the keyboard's focus stays while its item is there. */
  #drop(wanted) {
    for (const [item, row] of this.#rows) {
      const focused = row.element.contains(document.activeElement) && this.#items.includes(item);
      if (wanted.has(item) || focused) continue;
      row.element.remove();
      this.#rows.delete(item);
    }
  }

  #place(item, index) {
    let row = this.#rows.get(item);
    if (!row) {
      row = this.#makeRow(item);
      this.#rows.set(item, row);
    }
    const { element } = row;
    element.style.transform = `translateY(${index * this.#rowHeight}px)`;
    element.setAttribute("aria-posinset", index + 1);
    element.setAttribute("aria-setsize", this.#items.length);
    if (!element.isConnected) this.#insert(element, index);
    row.draw();
  }

  /** In the order of the items: keyboards and screen readers follow the document. */
  #insert(element, index) {
    const next = Array.from(this.#list.children).find((other) => Number(other.getAttribute("aria-posinset")) > index + 1);
    this.#list.insertBefore(element, next ?? null);
  }

  #measured() {
    if (!this.#items.length) return 0;
    const { element } = this.#makeRow(this.#items[0]);
    this.#list.append(element);
    const height = element.offsetHeight;
    element.remove();
    return height;
  }
}
