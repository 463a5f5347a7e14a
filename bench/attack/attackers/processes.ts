// Attacks on the gateway's processes and on its admin port.
import { execFileSync } from 'node:child_process';
import { isListening } from '../../../scripts/kafka/ports.ts';
import { descriptorsOf } from '../../../scripts/lib/proc.ts';
import type { Attack } from '../attack.ts';
import type { Arena } from './arena.ts';
import type { HostileSocket } from './hostile-socket.ts';

/** Files that a process may still open. */
const SPARE_DESCRIPTORS = 100;
const STOPPED_SECONDS = 14;
/** From connect to `identified`, while one of two processes stands still. */
const MAX_IDENTIFIED_MS = 1_000;
const INSPECTOR_PORT = 9_229;

export const PROCESS_ATTACKS: readonly Attack[] = [
  {
    name: 'stopped-process',
    does: 'SIGSTOP of one of two server processes, and a new device every 50 ms',
    holds: 'every new device is identified within 1 s, the process is restarted, /readyz stays below 1 s',
    minSeconds: STOPPED_SECONDS,
    hasSink: false,
    endsProcesses: true,
    run: async (arena) => {
      const [, stopped] = arena.options.pids;
      if (stopped !== undefined) process.kill(stopped, 'SIGSTOP');
      // Connections that the stopped process had already accepted cannot be answered, so new devices begin later.
      await arena.rest(500);
      await arena.every(50, () => void newDevice(arena));
      if (stopped !== undefined && isAlive(stopped)) process.kill(stopped, 'SIGCONT');
    },
    check: ({ attackers, restarts, readyz }) => [
      ...((attackers.notes.slowestMs ?? 0) > MAX_IDENTIFIED_MS
        ? [`a new device waited ${Math.round(attackers.notes.slowestMs ?? 0)} ms to be identified`]
        : []),
      ...((attackers.notes.unidentified ?? 0) > 0
        ? [`${attackers.notes.unidentified} new devices were never identified`]
        : []),
      ...(restarts === 0 ? ['the stopped process was not restarted'] : []),
      ...(readyz.slowestMs > 1_000 ? [`/readyz took ${Math.round(readyz.slowestMs)} ms`] : []),
    ],
  },
  idleAdmin(64),
  idleAdmin(200),
  slowAdmin(),
  {
    name: 'sigusr1',
    does: '`kill -USR1` to every process of the gateway',
    holds: 'no inspector opens',
    hasSink: false,
    run: async (arena) => {
      for (const pid of arena.options.pids) process.kill(pid, 'SIGUSR1');
      await arena.rest(300);
      arena.note('inspector', (await isListening(INSPECTOR_PORT)) ? 1 : 0);
    },
    check: ({ attackers, log }) => [
      ...(attackers.notes.inspector === 1 ? [`an inspector listens on port ${INSPECTOR_PORT}`] : []),
      ...(log.some((line) => line.includes('Debugger listening')) ? ['the log names an inspector'] : []),
    ],
  },
  {
    name: 'out-of-descriptors',
    does: 'a gateway of one process may open 100 more files, and 500 connections come',
    settings: { TCP_PROCESSES: '1' },
    hasSink: false,
    run: async (arena) => {
      for (const pid of arena.options.pids) limitDescriptors(pid);
      arena.keep(500, (socket, index) => socket.write(arena.identify(index)));
    },
  },
];

function idleAdmin(count: number): Attack {
  return {
    name: `admin-idle-${count}`,
    does: `${count} idle connections to the admin port`,
    hasSink: false,
    run: async (arena) => {
      const port = arena.options.adminPort;
      arena.keep(count, () => {}, { port, tls: undefined });
    },
  };
}

function slowAdmin(): Attack {
  return {
    name: 'admin-slow-200',
    does: '200 connections to the admin port that send their headers a byte at a time',
    hasSink: false,
    run: async (arena) => {
      const slow = (socket: HostileSocket) => {
        socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: ');
        void arena.every(100, () => socket.write('x'), socket);
      };
      arena.keep(200, slow, { port: arena.options.adminPort });
    },
  };
}

async function newDevice(arena: Arena): Promise<void> {
  const startMs = performance.now();
  const socket = arena.open();
  socket.write(arena.identify(0));
  while (!socket.heard.includes('"identified"')) {
    if (arena.signal.aborted || socket.isClosed) {
      // A device that came in the last second may still be identified.
      if (performance.now() - startMs > MAX_IDENTIFIED_MS) arena.add('unidentified');
      return;
    }
    await arena.rest(5);
  }
  arena.note('slowestMs', performance.now() - startMs);
  socket.destroy();
}

function limitDescriptors(pid: number): void {
  const limit = descriptorsOf(pid) + SPARE_DESCRIPTORS;
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}`]);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
