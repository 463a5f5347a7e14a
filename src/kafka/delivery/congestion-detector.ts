// Tells when a partition gets more batches than Kafka takes. If Kafka takes none at all, that is an outage and no
// congestion: memory and then the spool take all that comes. It never touches a batch.

/** Without an answer for so long, Kafka may be out of reach. */
const PATIENCE_MS = 1000;

export class CongestionDetector {
  readonly #report: (isCongested: boolean) => void;
  #isCongested = false;
  #isSilent = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(report: (isCongested: boolean) => void) {
    this.#report = report;
  }

  /** @param isBehind batches wait although Kafka takes earlier ones */
  update(isBehind: boolean): void {
    const isCongested = isBehind && !this.#isSilent;
    if (isCongested === this.#isCongested) return;
    this.#isCongested = isCongested;
    if (isCongested) this.#expectAnswer();
    this.#report(isCongested);
  }

  /** Kafka has taken a batch. */
  answered(): void {
    this.#isSilent = false;
    if (this.#isCongested) this.#expectAnswer();
  }

  /** The partition ends. */
  close(): void {
    clearTimeout(this.#timer);
    this.update(false);
  }

  #expectAnswer(): void {
    if (this.#timer !== undefined) this.#timer.refresh();
    else this.#timer = setTimeout(() => this.#giveUp(), PATIENCE_MS).unref();
  }

  #giveUp(): void {
    this.#isSilent = this.#isCongested;
    this.update(false);
  }
}
