// What the first process knows of the connections it has handed over: which process has each, so that caps hold
// over all together, a device's older connection is found wherever it is, and new ones go where there are fewest.
interface Entry {
  readonly process: number;
  readonly address: string;
  zipcode: string | undefined;
  deviceId: string | undefined;
}

export class ConnectionTable {
  readonly #entries = new Map<number, Entry>();
  readonly #loads: number[] = [];
  readonly #devices = new Map<string, number>();
  readonly #zipcodes = new Map<string, number>();
  #next = 0;

  /** Zipcodes of the connections that are open now. */
  get uniqueZipcodes(): number {
    return this.#zipcodes.size;
  }

  /** Open connections of a process. */
  load(process: number): number {
    return this.#loads[process] ?? 0;
  }

  /** The one of `candidates` with the fewest connections; undefined where there is none. */
  leastLoaded(candidates: readonly number[]): number | undefined {
    return candidates.reduce<number | undefined>(
      (best, process) => (best === undefined || this.load(process) < this.load(best) ? process : best),
      undefined,
    );
  }

  /** A connection goes to a process; returns the number it is known by. */
  add(process: number, address: string): number {
    const number = this.#next++;
    this.#entries.set(number, { process, address, zipcode: undefined, deviceId: undefined });
    this.#loads[process] = this.load(process) + 1;
    return number;
  }

  /** Returns the connection that the device had before, if it is another process's business to close it. */
  identified(
    number: number,
    { zipcode, deviceId }: { zipcode: string; deviceId: string | undefined },
  ): { number: number; process: number } | undefined {
    const entry = this.#entries.get(number);
    if (entry === undefined) return undefined;
    entry.zipcode = zipcode;
    this.#zipcodes.set(zipcode, (this.#zipcodes.get(zipcode) ?? 0) + 1);
    if (deviceId === undefined) return undefined;
    entry.deviceId = deviceId;
    const earlier = this.#devices.get(deviceId);
    this.#devices.set(deviceId, number);
    const process = earlier === undefined ? undefined : this.#entries.get(earlier)?.process;
    // Within one process its own registry has done it.
    if (earlier === undefined || process === undefined || process === entry.process) return undefined;
    return { number: earlier, process };
  }

  /** Returns the address it came from; undefined where it is not known (any more). */
  remove(number: number): string | undefined {
    const entry = this.#entries.get(number);
    if (entry === undefined) return undefined;
    this.#entries.delete(number);
    this.#loads[entry.process] = this.load(entry.process) - 1;
    const { deviceId, zipcode, address } = entry;
    if (deviceId !== undefined && this.#devices.get(deviceId) === number) this.#devices.delete(deviceId);
    if (zipcode !== undefined) {
      const left = (this.#zipcodes.get(zipcode) ?? 0) - 1;
      if (left <= 0) this.#zipcodes.delete(zipcode);
      else this.#zipcodes.set(zipcode, left);
    }
    return address;
  }

  /** Everything a process had is gone with it. Returns the addresses. */
  removeAll(process: number): string[] {
    const numbers = [...this.#entries]
      .filter(([, entry]) => entry.process === process)
      .map(([number]) => number);
    return numbers.flatMap((number) => this.remove(number) ?? []);
  }
}
