// Where a script about sockets is played: on real loopback sockets, or on simulated ones. Both give the same thing: the
// events of each side, in its order.
import net, { type ServerOpts, type Socket } from 'node:net';
import { Network } from '../../../simulation/network/network.ts';
import * as simulated from '../../../simulation/shims/net.ts';
import { World } from '../../../simulation/world/world.ts';

export interface Stage {
  readonly net: Pick<typeof net, 'connect' | 'createServer' | 'Socket'>;
  /** Notes what a side has seen. */
  see(side: string, what: string): void;
  /** Notes all events of a socket. Bytes that come one after the other are one entry, however they were cut. */
  watch(side: string, socket: Socket): Socket;
  /** A server on a port of its own. Calls back with each socket, which is watched as `server`. */
  serve(options: ServerOpts, onSocket: (socket: Socket) => void): Promise<{ port: number; close(): void }>;
  /** A client of it, watched as `client`. */
  call(port: number, options?: object): Socket;
  /** Waits until nothing more happens. */
  wait(): Promise<void>;
  /** Waits until the last thing that a side has seen is this. Rejects after 10 s. */
  until(side: string, what: string): Promise<void>;
}

/** @param world undefined on real sockets */
export type Script<W = unknown> = (stage: Stage, world: W) => Promise<void>;
export type Seen = Readonly<Record<string, readonly string[]>>;

/** On simulated sockets. */
const WAIT_MS = 40;
const QUIET_TURNS = 6;
const TURN_MS = 1;
const DEADLINE_MS = 10_000;
/** About as much as Linux takes in one call on loopback, where bytes arrive during the call. */
const BUFFERS = { sendBytes: 4_300_000, receiveBytes: 100_000 };
const HOST = '127.0.0.1';
/** Whether this Node's libuv is older than 1.52, in which a read after a reset changed. */
const HAS_OLD_LIBUV = Number(process.versions.uv?.replace(/^1\.(\d+)\..*$/, '$1')) < 52;

export async function playReal(script: Script): Promise<Seen> {
  const log = new SeenLog();
  const stage = { ...stageOn(net, log), wait: () => quiet(log) };
  await script(stage, undefined);
  await stage.wait();
  return log.bySide;
}

export async function playSimulated(script: Script<World>, seed = 1): Promise<Seen> {
  const world = new World(seed);
  world.network = new Network(world);
  world.network.buffers = BUFFERS;
  world.network.hidesLateResets = HAS_OLD_LIBUV;
  const log = new SeenLog();
  try {
    let isDone = false;
    const played = world.as(world.outside, async () => {
      const stage = stageOn(simulated as unknown as Stage['net'], log);
      await script(stage, world);
      await stage.wait();
      isDone = true;
    });
    const failed = played.catch((error: unknown) => ({ error }));
    const end = await world.play({ ms: 600_000, done: () => isDone });
    if (!isDone)
      throw (
        ((await Promise.race([failed, end])) as { error?: unknown }).error ?? new Error(`played until ${end}`)
      );
    return log.bySide;
  } finally {
    world.end();
  }
}

/** Until nothing was seen for some turns of the event loop, however long those take. */
async function quiet(log: SeenLog): Promise<void> {
  let seen = -1;
  for (let turns = 0; turns < QUIET_TURNS; turns++) {
    if (seen !== log.count) {
      seen = log.count;
      turns = 0;
    }
    await new Promise((resolve) => void setTimeout(resolve, TURN_MS));
  }
}

class SeenLog {
  /** Rises with each event and each chunk of bytes. */
  count = 0;
  readonly bySide: Record<string, string[]> = {};
  readonly #bytes = new Map<string, number>();

  add(side: string, what: string): void {
    this.count++;
    this.#bytes.delete(side);
    const list = this.#of(side);
    // How often depends on the buffers of the kernel.
    if (list.at(-1) !== what) list.push(what);
  }

  addBytes(side: string, bytes: number): void {
    this.count++;
    const list = this.#of(side);
    const sum = (this.#bytes.get(side) ?? 0) + bytes;
    if (this.#bytes.has(side)) list.pop();
    this.#bytes.set(side, sum);
    list.push(`${sum} bytes`);
  }

  lastOf(side: string): string | undefined {
    return this.bySide[side]?.at(-1);
  }

  #of(side: string): string[] {
    this.bySide[side] ??= [];
    return this.bySide[side];
  }
}

function stageOn(on: Stage['net'], log: SeenLog): Stage {
  const stage: Stage = {
    net: on,
    see: (side, what) => log.add(side, what),
    watch: (side, socket) => {
      for (const event of ['connect', 'ready', 'end', 'finish', 'drain'])
        socket.on(event, () => log.add(side, event));
      socket.on('error', (error: NodeJS.ErrnoException) => {
        const { code, syscall, errno, message } = error;
        log.add(side, `error ${code} ${errno} ${syscall}: ${message.replace(/:\d+$/, ':PORT')}`);
      });
      socket.on('close', (hadError) => log.add(side, `close ${hadError}`));
      // Not a listener of `data`: it would make the stream flow.
      const emit = socket.emit.bind(socket);
      socket.emit = (event: string | symbol, ...more: unknown[]) => {
        if (event === 'data') log.addBytes(side, (more[0] as Buffer).length);
        return emit(event as 'data', ...(more as [Buffer]));
      };
      return socket;
    },
    serve: (options, onSocket) =>
      new Promise((resolve) => {
        const server = on.createServer(options, (socket) => onSocket(stage.watch('server', socket)));
        server.on('close', () => log.add('listener', 'close'));
        server.on('drop', () => log.add('listener', 'drop'));
        server.listen({ host: HOST, port: 0 }, () => {
          const address = server.address();
          const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
          resolve({ port, close: () => server.close() });
        });
      }),
    until: async (side, what) => {
      for (let turns = 0; log.lastOf(side) !== what; turns++) {
        if (turns * TURN_MS > DEADLINE_MS)
          throw new Error(`${side} has not seen "${what}", but: ${log.bySide[side]}`);
        await new Promise((resolve) => void setTimeout(resolve, TURN_MS));
      }
    },
    call: (port, options = {}) => stage.watch('client', on.connect({ host: HOST, port, ...options })),
    wait: () => new Promise((resolve) => void setTimeout(resolve, WAIT_MS)),
  };
  return stage;
}
