// A thread with connections that write the same bytes as fast as the gateway reads them, and throw replies away. A
// thread of its own, so that it does not slow down the devices that a test measures.
import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

export interface Flood {
  readonly port: number;
  readonly connections: number;
  /** Sent once, before `text`. */
  readonly first: string;
  /** Sent again and again. */
  readonly text: string;
  /** Milliseconds between two writes of a connection. 0 = as fast as it can. */
  readonly everyMs: number;
}

const { port, connections, first, text, everyMs } = workerData as Flood;
const chunk = Buffer.from(text);
let connected = 0;
let written = 0;

for (let i = 0; i < connections; i++) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => {
    socket.write(first);
    connected++;
    if (connected === connections) parentPort?.postMessage('connected');
    write();
  });
  const write = () => {
    if (socket.destroyed) return;
    written += chunk.length;
    const goesOn = socket.write(chunk);
    const next = () => (everyMs > 0 ? setTimeout(write, everyMs) : setImmediate(write));
    if (goesOn) next();
    else socket.once('drain', next);
  };
  socket.on('error', () => {});
  socket.resume();
}

parentPort?.on('message', () => parentPort?.postMessage(written));
