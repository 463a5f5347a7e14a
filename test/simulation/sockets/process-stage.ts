// Where a script about processes is played: servers in real processes, or in simulated ones.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import * as simulated from '../../../simulation/shims/net.ts';
import type { SimProcess } from '../../../simulation/world/sim-process.ts';
import type { World } from '../../../simulation/world/world.ts';
import { type ChildServer, runServer } from './child.ts';
import { playReal, playSimulated, type Script, type Seen, type Stage } from './stage.ts';

/** A server in a process of its own. */
export interface Child {
  readonly port: number;
  stop(): void;
  goOn(): void;
  /** kill -9. Resolves when the process has ended. */
  kill(): Promise<void>;
}

/** A socket that is bound and never accepts, as the first process of the gateway has it. */
export interface Bound {
  readonly handle: { readonly fd: number; close(): void };
}

export interface ProcessStage extends Stage {
  start(how: { isDeaf: boolean; inherits?: Bound }): Promise<Child>;
  bind(): Bound;
}

export type ProcessScript = (stage: ProcessStage) => Promise<void>;

const CHILD = fileURLToPath(new URL('./child.js', import.meta.url));
const FIRST_FD = 4;
const HOST = '127.0.0.1';

type CreateHandle = (address: string, port: number, family: number, fd: number) => Bound['handle'];

export async function playWithProcesses(script: ProcessScript): Promise<Seen> {
  const children: ChildProcess[] = [];
  const create = (net as unknown as { _createServerHandle: CreateHandle })._createServerHandle;
  const played: Script = (stage) =>
    script({
      ...stage,
      bind: () => ({ handle: create(HOST, 0, 4, -1) }),
      start: async ({ isDeaf, inherits }) => {
        const fds = inherits === undefined ? [] : [inherits.handle.fd];
        const args = ['serve', inherits === undefined ? 'none' : `${FIRST_FD}`, isDeaf ? 'deaf' : 'echo'];
        const child = fork(CHILD, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc', ...fds] });
        children.push(child);
        const [port] = (await once(child, 'message')) as [number];
        return {
          port,
          stop: () => void child.kill('SIGSTOP'),
          goOn: () => void child.kill('SIGCONT'),
          kill: async () => {
            child.kill('SIGKILL');
            await once(child, 'exit');
          },
        };
      },
    });
  try {
    return await playReal(played);
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

export function playWithSimulatedProcesses(script: ProcessScript): Promise<Seen> {
  return playSimulated((stage, world) =>
    script({
      ...stage,
      bind: () => ({ handle: simulated._createServerHandle(HOST, 0) as Bound['handle'] }),
      start: async ({ isDeaf, inherits }) => {
        const process = world.startProcess('server');
        world.network.place(process, 'outside');
        if (inherits !== undefined)
          world.network.inherit(world.outside, process, [0, 1, 2, 'ipc', inherits.handle.fd]);
        const port = await listening(world, process, { isDeaf, fd: inherits && FIRST_FD });
        return {
          port,
          stop: () => process.freeze(),
          goOn: () => process.thaw(),
          kill: async () => process.kill(),
        };
      },
    }),
  );
}

function listening(world: World, process: SimProcess, server: ChildServer): Promise<number> {
  return new Promise((resolve) => {
    const told = (port: number) => void world.after(0, () => resolve(port), world.outside);
    const on = simulated as unknown as Pick<typeof net, 'createServer'>;
    world.after(0, () => runServer(on, server, told), process);
  });
}
