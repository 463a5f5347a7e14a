// What the tests of senders have in common: whether their programs are there, and a gateway with a port for plain lines.
import type { TestContext } from 'node:test';
import type { Sender } from '../../scripts/senders/senders.ts';
import { Tools } from '../../scripts/senders/tools.ts';
import { skipWithoutTool } from '../support/missing-tool.ts';

/** Undefined, and the test is skipped loudly, when the programs of a sender are missing. In CI that is a failure. */
export function presentTools(t: TestContext, senders: readonly Sender[]): Tools | undefined {
  const tools = new Tools();
  const missing = senders.filter((sender) => sender.version(tools) === undefined);
  if (missing.length === 0) return tools;
  const names = missing.map(({ name }) => name).join(', ');
  const why = `the programs of ${names} are missing (bash scripts/senders/install.sh, and apt-get install netcat-openbsd socat bsdutils python3)`;
  skipWithoutTool(t, why);
  return undefined;
}
