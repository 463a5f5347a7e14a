// Parses the header of the PROXY protocol, versions 1 and 2
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt). It is given all bytes since the start of the connection,
// refuses them as early as possible, and never reads a socket.
import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import { crc32c } from '../checksum/crc32c.ts';
import { PROXY_V1_START, PROXY_V2_SIGNATURE } from '../protocol/foreign-protocol.ts';
import type { ProxyFault } from '../protocol/proxy-results.ts';

export type ProxyHeader =
  /** More bytes are needed. */
  | { readonly state: 'incomplete' }
  | { readonly state: 'refused'; readonly fault: ProxyFault }
  | {
      readonly state: 'complete';
      readonly version: 1 | 2;
      /** Bytes of the header. The connection itself begins behind them. */
      readonly length: number;
      /** The proxy speaks for itself: a health check. */
      readonly isLocal: boolean;
      /** Address of the client. Undefined = the proxy gives none, and the connection has the address of its peer. */
      readonly source: string | undefined;
    };

/** A line of version 1, with its CR LF. */
const MAX_V1_BYTES = 107;
/** The specification allows 65,551. Senders keep it below 536, and nginx takes no more than this. */
export const MAX_PROXY_BYTES = 4096;

const CR = 0x0d;
const LF = 0x0a;
const V1_START = Buffer.from(PROXY_V1_START, 'latin1');
const SIGNATURE = Buffer.from(PROXY_V2_SIGNATURE, 'latin1');
/** The signature, version and command, family and transport, length. */
const V2_START_BYTES = 16;
const LOCAL = 0;
const PROXY = 1;
const STREAM = 1;
const DGRAM = 2;
const TLV_START_BYTES = 3;
const TLV_CRC32C = 3;

interface Family {
  /** Of one address, without its port. */
  readonly addressBytes: number;
  /** Of both addresses and their ports. */
  readonly blockBytes: number;
  readonly text?: (address: Buffer) => string;
}

const UNSPEC: Family = { addressBytes: 0, blockBytes: 0 };
/** By the number of the family. */
const FAMILIES: readonly Family[] = [
  UNSPEC,
  { addressBytes: 4, blockBytes: 12, text: (address) => address.join('.') },
  { addressBytes: 16, blockBytes: 36, text: ipv6Text },
  { addressBytes: 108, blockBytes: 216 },
];

const INCOMPLETE: ProxyHeader = { state: 'incomplete' };

/** @param bytes all that came since the start of the connection; more than the header does no harm */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (beginsWith(bytes, SIGNATURE)) return bytes.length < SIGNATURE.length ? INCOMPLETE : parseV2(bytes);
  if (beginsWith(bytes, V1_START)) return parseV1(bytes);
  return refused('missing');
}

/** True if the bytes are the beginning of `start`, or go on after it. */
function beginsWith(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.compare(start, 0, length, 0, length) === 0;
}

function refused(fault: ProxyFault): ProxyHeader {
  return { state: 'refused', fault };
}

function parseV1(bytes: Buffer): ProxyHeader {
  const head = bytes.subarray(0, MAX_V1_BYTES);
  const end = head.findIndex((byte) => byte === CR || byte === LF);
  if (end === -1) return head.length < MAX_V1_BYTES ? INCOMPLETE : refused('too_long');
  // Only CR LF together end the line.
  if (head[end] === LF) return refused('malformed');
  if (end + 1 === MAX_V1_BYTES) return refused('too_long');
  if (head[end + 1] === undefined) return INCOMPLETE;
  if (head[end + 1] !== LF) return refused('malformed');
  const [family, ...fields] = head.toString('latin1', V1_START.length, end).split(' ');
  const length = end + 2;
  if (family === 'UNKNOWN')
    return { state: 'complete', version: 1, length, isLocal: false, source: undefined };
  const source = v1Source(family, fields);
  if (source === undefined) return refused('malformed');
  return { state: 'complete', version: 1, length, isLocal: false, source };
}

/** Undefined unless the line has exactly two addresses of the family, and two ports. */
function v1Source(family: string | undefined, fields: readonly string[]): string | undefined {
  const [source = '', destination = '', ...ports] = fields;
  if (ports.length !== 2 || !ports.every(isPort)) return undefined;
  if (family === 'TCP4') return [source, destination].every(isIPv4) ? source : undefined;
  if (family !== 'TCP6' || ![source, destination].every(isPlainIPv6)) return undefined;
  return canonicalIPv6(source);
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** Without a zone, which isIPv6 allows. HAProxy writes mapped addresses with dots. */
function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function parseV2(bytes: Buffer): ProxyHeader {
  const [command, version] = nibbles(bytes[12] ?? 0x21);
  if (version !== 2 || command > PROXY) return refused('malformed');
  const [transport, familyNumber] = nibbles(bytes[13] ?? 0);
  const family = FAMILIES[familyNumber];
  const isLocal = command === LOCAL;
  // A LOCAL header may say anything about families.
  if (!isLocal && (family === undefined || transport > DGRAM)) return refused('malformed');
  if (bytes.length < V2_START_BYTES) return INCOMPLETE;
  const length = V2_START_BYTES + bytes.readUInt16BE(14);
  // Without a transport the block holds no known addresses.
  const { addressBytes, blockBytes, text } = (isLocal || transport === 0 ? undefined : family) ?? UNSPEC;
  const tlvAt = V2_START_BYTES + blockBytes;
  if (length < tlvAt) return refused('malformed');
  if (length > MAX_PROXY_BYTES) return refused('too_long');
  if (bytes.length < length) return INCOMPLETE;
  const fault = blockBytes === 0 ? undefined : tlvFault(bytes.subarray(0, length), tlvAt);
  if (fault !== undefined) return refused(fault);
  // Another transport than a stream is not that of this connection, so its address is not either.
  const address = bytes.subarray(V2_START_BYTES, V2_START_BYTES + addressBytes);
  const source = transport === STREAM ? text?.(address) : undefined;
  return { state: 'complete', version: 2, length, isLocal, source };
}

/** The low and the high half of a byte. */
function nibbles(byte: number): [low: number, high: number] {
  return [byte & 0x0f, byte >> 4];
}

/** The TLVs have to fill the header, and a checksum among them has to be right. */
function tlvFault(header: Buffer, start: number): ProxyFault | undefined {
  let at = start;
  while (at < header.length) {
    const valueAt = at + TLV_START_BYTES;
    if (valueAt > header.length) return 'malformed';
    const end = valueAt + header.readUInt16BE(at + 1);
    if (end > header.length) return 'malformed';
    if (header[at] === TLV_CRC32C) {
      if (end - valueAt !== 4) return 'malformed';
      const zeroed = Buffer.from(header).fill(0, valueAt, end);
      if (crc32c(zeroed) !== header.readUInt32BE(valueAt)) return 'wrong_checksum';
    }
    at = end;
  }
  return undefined;
}

function ipv6Text(address: Buffer): string {
  return canonicalIPv6(address.toString('hex').replace(/.{4}(?=.)/g, '$&:'));
}

/** As Node writes the addresses of peers. */
function canonicalIPv6(text: string): string {
  return new SocketAddress({ address: text, family: 'ipv6' }).address;
}
