// Weather stations for the pictures of the dashboard: towns, rates that rise and fall, a few that make mistakes, some
// that come and go. It is no measure of anything: `sluice load` is.
import { connect, type Socket } from 'node:net';

const TOWNS: readonly (readonly [zipcode: string, city: string])[] = [
  ['90210', 'Beverly Hills'],
  ['10115', 'Berlin'],
  ['75001', 'Paris'],
  ['00100', 'Roma'],
  ['28001', 'Madrid'],
  ['1000-205', 'Lisboa'],
  ['1012', 'Amsterdam'],
  ['8001', 'Zürich'],
  ['11120', 'Stockholm'],
  ['00-001', 'Warszawa'],
  ['11000', 'Praha'],
  ['1010', 'Wien'],
  ['10431', 'Αθήνα'],
  ['1000-BG', 'София'],
  ['101-0021', 'Tokyo'],
  ['01000', 'São Paulo'],
  ['V5K0A1', 'Vancouver'],
  ['99501', 'Anchorage'],
  ['2000', 'Sydney'],
  ['0150', 'Oslo'],
];
const TICK_MS = 100;
/** One rise and fall of the load. */
const WAVE_MS = 70_000;
const MISTAKES = [
  '{"type":"metrics","data":{"temperature":[21.5]}}',
  '{"type":"metrics","data":{"temperature":21.5,"temperature":21.6}}',
  'temperature=21.5;humidity=60',
  '{"type":"metrics","data":{"temperature":NaN,"humidity":60}}',
  '{"type":"measurement","data":{"temperature":21.5}}',
];

interface Station {
  readonly id: string;
  readonly town: readonly [string, string];
  /** Readings a second in the middle of the wave. */
  readonly rate: number;
  /** One of so many lines is a mistake; 0 = none. */
  readonly mistakes: number;
  socket: Socket;
  sent: number;
  due: number;
}

export class Stations {
  readonly #port: number;
  readonly #all: Station[] = [];
  #timer: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(port: number, count: number) {
    this.#port = port;
    for (let index = 0; index < count; index++) {
      const town = TOWNS[index % TOWNS.length] ?? ['0000', 'Nowhere'];
      const id = `${['roof', 'yard', 'mast', 'pier'][index % 4]}-${String(index).padStart(4, '0')}`;
      const rate = 0.5 + 4 * ((index * 7919) % 100) ** 3 * 1e-6;
      const mistakes = index % 41 === 7 ? 30 : 0;
      this.#all.push({ id, town, rate, mistakes, socket: this.#connect(id, town, index), sent: 0, due: 0 });
    }
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { socket } of this.#all) socket.destroy();
  }

  #connect(id: string, [zipcode, city]: Station['town'], index: number): Socket {
    const socket = connect({
      port: this.#port,
      host: '127.0.0.1',
      // Several sites, each behind one address.
      localAddress: `127.0.${1 + (index % 5)}.${1 + (index % 40)}`,
    });
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.write(`${JSON.stringify({ type: 'identify', zipcode, city, device_id: id })}\n`);
    return socket;
  }

  #tick(): void {
    this.#ticks++;
    const wave = 1 + 0.6 * Math.sin((this.#ticks * TICK_MS * 2 * Math.PI) / WAVE_MS);
    this.#all.forEach((station, index) => {
      if (station.socket.destroyed || (this.#ticks + index * 13) % 3_000 === 0) {
        station.socket.destroy();
        station.socket = this.#connect(station.id, station.town, index);
        return;
      }
      station.due += (station.rate * wave * TICK_MS) / 1000;
      while (station.due >= 1) {
        station.due--;
        station.socket.write(`${lineOf(station)}\n`);
      }
    });
  }
}

function lineOf(station: Station): string {
  const seq = station.sent++;
  if (station.mistakes > 0 && seq % station.mistakes === station.mistakes - 1)
    return MISTAKES[seq % MISTAKES.length] ?? '';
  const temperature = Math.round(10 * (15 + 8 * Math.sin(seq / 40))) / 10;
  const data = { timestamp: new Date().toISOString(), temperature, humidity: 40 + (seq % 30), wind: seq % 9 };
  return JSON.stringify({ type: 'metrics', seq, data });
}
