// Recognises other protocols by the first bytes of a connection: browsers, scanners and proxies that were given the port
// of devices. A line of a device begins with `{`, perhaps after white space, so no device is taken for one of them.

export const FOREIGN_PROTOCOLS = ['http', 'tls', 'ssh', 'smb', 'proxy'] as const;

export type ForeignProtocol = (typeof FOREIGN_PROTOCOLS)[number];

/** This many first bytes always suffice. */
const FIRST_BYTES = 20;

// RFC 9110 and the registry of HTTP methods, as far as they are in use. `PRI` begins HTTP/2. A browser sends nothing else
// to a port that a web page names.
const HTTP_METHODS =
  'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH PRI ACL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE ' +
  'MKACTIVITY MKCALENDAR MKCOL MOVE PROPFIND PROPPATCH QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK ' +
  'UNLOCK UNSUBSCRIBE UPDATE';

/** How a PROXY header begins, in Latin-1: a line of version 1, or the binary version 2. */
export const PROXY_V1_START = 'PROXY ';
export const PROXY_V2_SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

const SMB = ['\xffSMB', '\xfeSMB', '\xfdSMB'];

/** Latin-1, in capital letters for HTTP, which is recognised in any case. */
const PREFIXES: readonly (readonly [ForeignProtocol, prefix: string])[] = [
  ...HTTP_METHODS.split(' ').map((method) => ['http', `${method} `] as const),
  // The record of a handshake: type 22, major version 3.
  ['tls', '\x16\x03'],
  ['ssh', 'SSH-'],
  ...SMB.map((prefix) => ['smb', prefix] as const),
  ['proxy', PROXY_V1_START],
  ['proxy', PROXY_V2_SIGNATURE],
];

/** A request line with a method that the table above does not have. */
const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Z-]{1,32} +[^ ]+ +(?:HTTP|RTSP|SIP|ICAP)\/[0-9]/i;

/**
 * Names the protocol of a connection by its first bytes.
 * @returns `undecided` if more bytes are needed, undefined if this is none of the protocols
 */
export function foreignProtocol(bytes: Uint8Array): ForeignProtocol | 'undecided' | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, FIRST_BYTES)).toString(
    'latin1',
  );
  // SMB over TCP: a zero and 3 bytes of length stand before the message.
  const rest = text.startsWith('\0') ? text.slice(4) : text;
  if (text.startsWith('\0') && text.length <= 4) return 'undecided';
  const upper = text.toUpperCase();
  let isUndecided = false;
  for (const [protocol, prefix] of PREFIXES) {
    const start = protocol === 'http' ? upper : protocol === 'smb' ? rest : text;
    if (start.startsWith(prefix)) return protocol;
    isUndecided ||= prefix.startsWith(start);
  }
  return isUndecided ? 'undecided' : undefined;
}

/** True if the line, which does not begin with `{`, begins an HTTP request. White space before it does not matter. */
export function isRequestLine(line: Uint8Array): boolean {
  const text = Buffer.from(line.buffer, line.byteOffset, line.length).toString('latin1').trimStart();
  return (
    foreignProtocol(Buffer.from(text.slice(0, FIRST_BYTES), 'latin1')) === 'http' || REQUEST_LINE.test(text)
  );
}

/** A count of 0 for each protocol. */
export function countsByProtocol(): Record<ForeignProtocol, number> {
  return { http: 0, tls: 0, ssh: 0, smb: 0, proxy: 0 };
}
