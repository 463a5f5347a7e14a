// The table of the peers that the bench knows with `--peer`, and which of them are installed here.
import { type Program, Tools, versionOf } from '../../scripts/senders/tools.ts';
import { type Peer, PeerError } from './peer.ts';
import { RSYSLOG } from './rsyslog.ts';
import { SYSLOG_NG } from './syslog-ng.ts';

export const PEERS: readonly Peer[] = [RSYSLOG, SYSLOG_NG];

export interface InstalledPeer {
  readonly peer: Peer;
  readonly program: Program;
  readonly version: string;
}

/** The peer. @throws PeerError that says how to install it */
export function installedPeer(peer: Peer, tools = new Tools()): InstalledPeer {
  const program = peer.find(tools);
  if (program === undefined) throw new PeerError(notInstalled(peer, 'is not installed'));
  return { peer, program, version: versionOf(program, ...peer.version) };
}

/** Those that are installed. @throws PeerError if none is */
export function installedPeers(tools = new Tools()): InstalledPeer[] {
  const found = PEERS.filter((peer) => peer.find(tools) !== undefined);
  if (found.length === 0)
    throw new PeerError(PEERS.map((peer) => notInstalled(peer, 'is not installed')).join('\n'));
  return found.map((peer) => installedPeer(peer, tools));
}

/** The problem and its remedy. */
export function notInstalled({ name, packages }: Peer, problem: string): string {
  return `${name} ${problem}. On Debian and Ubuntu, without installing it: bash scripts/senders/install.sh. To install it, as root: apt-get install ${packages}`;
}
