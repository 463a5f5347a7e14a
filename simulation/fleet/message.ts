// One message of a device, and all that is known of it: the ledger's entry. It is kept outside the gateway.
import { crc32 } from '@node-rs/crc32';
import type { Identity, MessageState, SentMessage } from '../judge/facts.ts';
import type { Spelled } from './spelling.ts';

export class Message implements SentMessage {
  readonly device: string;
  readonly number: number;
  readonly identity: Identity;
  readonly seq: number | undefined;
  readonly checksums: readonly number[];
  state: MessageState;
  code: string | undefined;
  refusedOver: string | undefined;
  isRefusedByKafka = false;
  readonly connections: string[] = [];
  /** Connections that carried it and whose `connection_id` was not heard, so far. */
  unheard = 0;
  /** Undefined once it need not be sent again. */
  line: string | undefined;

  constructor(
    { device, number }: { readonly device: string; readonly number: number },
    { identity, seq, readings, line }: Spelled & { readonly identity: Identity; readonly line: string },
  ) {
    this.device = device;
    this.number = number;
    this.identity = identity;
    this.seq = seq;
    this.checksums = readings.map((text) => crc32(text));
    this.state = seq === undefined ? 'unasked' : 'open';
    this.line = line;
  }

  get sentUnheard(): boolean {
    return this.unheard > 0;
  }

  /** Over another connection than this one. */
  wasSentBefore(connection: string | undefined): boolean {
    return this.unheard > 0 || this.connections.some((id) => id !== connection);
  }

  stored(): void {
    if (this.state !== 'open') return;
    this.state = 'stored';
    this.line = undefined;
  }

  /** By the gateway itself, over this connection. */
  isRefusedOver(connection: string | undefined): boolean {
    return this.state === 'refused' && this.refusedOver === connection && !this.isRefusedByKafka;
  }

  /** Also after stored(): Kafka can refuse a record that waited on the gateway's disk. */
  refused(code: string, { over, byKafka }: { over: string | undefined; byKafka: boolean }): void {
    this.state = 'refused';
    this.code = code;
    this.refusedOver = over;
    this.isRefusedByKafka = byKafka;
    this.line = undefined;
  }
}
