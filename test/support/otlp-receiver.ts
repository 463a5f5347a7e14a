// A receiver of OTLP over HTTP that keeps each push, and answers as a test wants.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { waitFor } from './wait.ts';

export interface Push {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Status and body of the answer, or none at all. */
export type Answer = { readonly status: number; readonly body: string } | 'none';

export class OtlpReceiver {
  readonly pushes: Push[] = [];
  answer: Answer = { status: 200, body: '{}' };
  readonly url: string;

  private constructor(url: string) {
    this.url = url;
  }

  static async start(t: TestContext): Promise<OtlpReceiver> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { url: path = '', headers } = request;
      receiver.pushes.push({ path, headers, body: Buffer.concat(chunks) });
      if (receiver.answer !== 'none') response.writeHead(receiver.answer.status).end(receiver.answer.body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const receiver = new OtlpReceiver(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    return receiver;
  }

  /** A push whose figures were read after this call. Those of the next one may have been on their way. */
  async next(): Promise<Push> {
    const seen = this.pushes.length + 1;
    await waitFor('two pushes', () => this.pushes.length > seen);
    return this.pushes[seen] as Push;
  }
}
