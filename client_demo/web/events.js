// Events with data, which Node 18 has no CustomEvent for. No DOM.

export class DetailEvent extends Event {
  constructor(type, detail = null) {
    super(type);
    this.detail = detail;
  }
}
