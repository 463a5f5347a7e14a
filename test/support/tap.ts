// A client of GET /tap: reads its JSON lines as they come, or does not read them.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { waitFor } from './wait.ts';

export interface TapLine {
  readonly event: string;
  readonly id?: string;
  readonly fate?: string;
  readonly code?: string;
  readonly line?: string;
  readonly lines?: number;
  readonly [field: string]: unknown;
}

export class TapClient {
  readonly events: TapLine[] = [];
  readonly status: number | undefined;
  ended = false;
  readonly #response: IncomingMessage;
  #rest = '';

  /** @param reads false = only the head of the answer is read */
  static async open(port: number, query = '', { reads = true } = {}): Promise<TapClient> {
    const sent = request({ host: '127.0.0.1', port, path: `/tap${query}`, agent: false }).end();
    sent.on('error', () => {});
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    const client = new TapClient(response, reads);
    if (reads && client.status === 200) await client.until('the beginning', ({ event }) => event === 'begin');
    return client;
  }

  private constructor(response: IncomingMessage, reads: boolean) {
    this.#response = response;
    this.status = response.statusCode;
    response.on('error', () => {});
    response.on('close', () => {
      this.ended = true;
    });
    if (!reads) return;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop() ?? '';
      this.events.push(
        ...lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as TapLine),
      );
    });
  }

  get lines(): TapLine[] {
    return this.events.filter(({ event }) => event === 'line');
  }

  until(what: string, condition: (event: TapLine) => boolean): Promise<TapLine> {
    return waitFor(what, () => this.events.find(condition));
  }

  close(): void {
    this.#response.destroy();
  }
}
