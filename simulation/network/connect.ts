// How a connection is made: SYN and its answer, also if the link is cut, nobody listens or the backlog is full. SYN is sent again after 1 s, then after twice as long each time; after 127 s the connect fails (tcp_syn_retries).
import type { SimProcess } from '../world/sim-process.ts';
import type { Cancel, World } from '../world/world.ts';
import type { Endpoint, HostPort } from './endpoint.ts';
import { UV } from './errno.ts';
import type { Hosts } from './hosts.ts';
import type { Links } from './links.ts';
import type { Listener } from './listener.ts';

const SYN_RETRIES = 6;
const FIRST_RETRY_MS = 1000;

export interface ConnectRequest {
  readonly process: SimProcess;
  /** Undefined = the address of the machine. */
  readonly from: HostPort | undefined;
  readonly to: HostPort;
}

export interface ConnectHost {
  readonly world: World;
  readonly hosts: Hosts;
  readonly links: Links;
  /** Whoever listens there. Undefined = the connect is refused. */
  listenerAt(machine: string, to: HostPort): Listener | undefined;
  endpoint(host: string, local: HostPort): Endpoint;
  ephemeralPort(): number;
  joined(client: Endpoint, server: Endpoint): void;
}

export type Connected = (result: Endpoint | number) => void;

/** Calls `done` once with the endpoint or the number of the error. @returns gives up, and closes a connection that was made */
export function startConnect(host: ConnectHost, request: ConnectRequest, done: Connected): () => void {
  const { world, hosts, links } = host;
  const { process, to } = request;
  const machine = hosts.at(to.address, process);
  const address = request.from?.address ?? hosts.sourceFor(process, to.address);
  const local = { address, port: request.from?.port || host.ephemeralPort() };
  const fromHost = hosts.at(address, process) ?? hosts.machineOf(process);
  let isCancelled = false;
  let made: Endpoint | undefined;
  let retry: Cancel | undefined;

  const later = (from: string, target: string, work: () => void) =>
    world.at(links.arrivalMs(from, target, 0), work, world.outside);

  const attempt = (retries: number): void => {
    if (isCancelled) return;
    if (machine !== undefined) later(fromHost, machine, () => synArrives(machine));
    const again = () => {
      if (retries === SYN_RETRIES) finish(UV.ETIMEDOUT);
      else attempt(retries + 1);
    };
    retry = world.after(FIRST_RETRY_MS * 2 ** retries, again, world.outside);
  };

  const synArrives = (target: string): void => {
    if (isCancelled || made !== undefined || links.isCut(fromHost, target)) return;
    const listener = host.listenerAt(target, to);
    if (listener === undefined) {
      later(target, fromHost, () => {
        if (!links.isCut(fromHost, target)) finish(UV.ECONNREFUSED);
      });
      return;
    }
    if (listener.isFull) return;
    const server = host.endpoint(target, to);
    const client = host.endpoint(fromHost, local);
    client.join(server);
    server.join(client);
    made = client;
    retry?.cancel();
    host.joined(client, server);
    listener.offer(server);
    // If the link is cut now, the client hears of the connection once it works again.
    const answer = () => {
      if (isCancelled) return;
      if (links.isCut(fromHost, target)) world.after(FIRST_RETRY_MS, answer, world.outside);
      else finish(client);
    };
    later(target, fromHost, answer);
  };

  const finish = (result: Endpoint | number): void => {
    if (isCancelled) return;
    isCancelled = true;
    retry?.cancel();
    done(result);
  };

  attempt(0);
  return () => {
    if (isCancelled) return;
    isCancelled = true;
    retry?.cancel();
    made?.close();
  };
}
