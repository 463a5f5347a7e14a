// The connections of all server processes, as the first process knows them: which process has each, from which address
// and of which device. It never touches a socket.
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

  /** Different zipcodes of the open connections. */
  get uniqueZipcodes(): number {
    return this.#zipcodes.size;
  }

  /** Number of open connections of a process. */
  load(process: number): number {
    return this.#loads[process] ?? 0;
  }

  /** The candidate with the fewest connections, undefined without candidates. */
  leastLoaded(candidates: readonly number[]): number | undefined {
    return candidates.reduce<number | undefined>(
      (best, process) => (best === undefined || this.load(process) < this.load(best) ? process : best),
      undefined,
    );
  }

  /** Adds a connection of a process. Returns its number. */
  add(process: number, address: string): number {
    const number = this.#next++;
    this.#entries.set(number, { process, address, zipcode: undefined, deviceId: undefined });
    this.#loads[process] = this.load(process) + 1;
    return number;
  }

  /** Returns the older connection of the device if it is in another process, which has to close it. */
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
    // Within one process, its TcpServer has replaced the older connection.
    if (earlier === undefined || process === undefined || process === entry.process) return undefined;
    return { number: earlier, process };
  }

  /** Returns the address of the connection, undefined if the number is not known (any more). */
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

  /** Removes all connections of a crashed process. Returns their addresses. */
  removeAll(process: number): string[] {
    const own = [...this.#entries].filter(([, entry]) => entry.process === process);
    return own.flatMap(([number]) => this.remove(number) ?? []);
  }
}
