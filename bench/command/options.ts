// Parses options that several commands share. A refusal names the allowed values.
import { InvalidArgumentError } from 'commander';

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('allowed: a number above 0.');
  return value;
}

/** Adds one setting to the previous ones. */
export function setting(text: string, before: Readonly<Record<string, string>> = {}): Record<string, string> {
  const [, name, value] = /^([A-Z_]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('allowed: NAME=VALUE.');
  return { ...before, [name]: value };
}
