// Names usual mistakes in refused values. It never shows a value as a whole, and is not asked
// about secrets.
import { isIP } from 'node:net';
import { isServiceLink } from './names.ts';
import { quoted } from './printable.ts';
import { requiredHint } from './required-list.ts';

const SCHEME = /^[a-z0-9_+.-]*:\/\//i;

/** The mistake in words, undefined if it is not a usual one. @param name of the setting */
export function hintOf(name: string, text: string): string | undefined {
  if (isServiceLink(name, text)) return 'a Kubernetes service link: set `enableServiceLinks: false`';
  if (/^(["'`]).*\1$/.test(text))
    return 'the quotes are a part of the value: take them off, as neither Docker nor a shell has done it';
  if (name === 'KAFKA_BROKERS') return brokersHint(text);
  if (name === 'TCP_REQUIRE') return requiredHint(text);
  if (name.endsWith('_HOST')) return hostHint(name, text);
  if (name.endsWith('_PORT') && text.includes(':'))
    return `the port alone; the address is ${name.startsWith('HTTP') ? 'HTTP_HOST' : 'TCP_HOST'}`;
  if (/(?:TIMEOUT|INTERVAL|KEEPALIVE)$/.test(name) && /^\d+$/.test(text))
    return `a number without a unit: write ${text}ms or ${text}s`;
  return undefined;
}

function brokersHint(text: string): string | undefined {
  if (/[^,\s]\s+[^,\s]|;/.test(text)) return 'the brokers are separated by commas';
  for (const entry of text.split(',').map((one) => one.trim())) {
    const why = brokerHint(entry);
    if (why !== undefined) return entry === '' ? why : `${quoted(entry)} ${why}`;
  }
  return undefined;
}

function brokerHint(entry: string): string | undefined {
  if (entry === '') return 'there is a comma too many';
  if (SCHEME.test(entry)) return `has a scheme: write only ${quoted(entry.replace(SCHEME, ''))}`;
  if (isIP(entry) === 6 || /^[^[]*:.*:/.test(entry)) return 'is an IPv6 address without brackets: [::1]:9092';
  if (!/:\d+$/.test(entry)) return 'has no port, which is mostly 9092';
  const port = Number(entry.slice(entry.lastIndexOf(':') + 1));
  return port < 1 || port > 65_535 ? 'has a port that is not from 1 to 65535' : undefined;
}

function hostHint(name: string, text: string): string | undefined {
  const port = name.replace('_HOST', '_PORT');
  if (SCHEME.test(text)) return `without the scheme; the port is ${port}`;
  if (/^\[.*\]$/.test(text)) return 'without the brackets';
  if (/^[^:]+:\d+$/.test(text)) return `without the port, which is ${port}`;
  return undefined;
}
