// The form in which the bench knows a peer: a program of others that takes lines over TCP and sends them to Kafka. A new peer is a file
// with one of these, and an entry in peers.ts.
import type { Program, Tools } from '../../scripts/senders/tools.ts';

/** The place of a peer, and the settings that differ from run to run. */
export interface PeerPlace {
  /** Its own, for all that it writes. */
  readonly directory: string;
  /** On 127.0.0.1. */
  readonly port: number;
  /** host:port of Kafka, one or more with commas between them. */
  readonly bootstrap: string;
  readonly topic: string;
  /** How long its Kafka client collects a batch. */
  readonly lingerMs: number;
  readonly connections: number;
}

export interface Peer {
  readonly name: string;
  /** Packages of Debian and Ubuntu, as apt-get takes them. */
  readonly packages: string;
  /** Undefined if it is not installed. */
  find(tools: Tools): Program | undefined;
  /** Arguments that print its version, and the pattern of the version. */
  readonly version: readonly [args: readonly string[], pattern: RegExp];
  /** Name of its configuration in the directory. */
  readonly file: string;
  configuration(place: PeerPlace): string;
  /** Runs it in the foreground. */
  args(place: PeerPlace): readonly string[];
  /** Reads the configuration, loads the modules and ends. */
  checkArgs(place: PeerPlace): readonly string[];
}

/** The user can correct it: a peer is not installed, or lacks its module for Kafka. */
export class PeerError extends Error {}
