// Runs a `sluice dead` command and turns expected errors into a message and an exit code.
import type { Settings } from '../../config/settings.ts';
import { SpoolLockedError } from '../../spool/lock.ts';
import { ownerText } from '../../spool/lock-owner.ts';
import { sayExpected } from '../expected-error.ts';
import { say } from '../output.ts';
import { load, withSettings } from '../with-settings.ts';
import { type DeadCommand, deadSettings } from './command.ts';
import { ls } from './ls.ts';
import { resend } from './resend.ts';
import { Session } from './session.ts';
import { show } from './show.ts';

/** Resolves with the exit code. */
export function runDead(command: DeadCommand): Promise<number> {
  return withSettings(load(deadSettings(command)), ({ settings }) => run(command, settings));
}

async function run(command: DeadCommand, settings: Settings): Promise<number> {
  const session = new Session(settings);
  try {
    switch (command.name) {
      case 'ls':
        return await ls(session, command.options);
      case 'show':
        return await show(session, command.options);
      case 'resend':
        return await resend(session, command.options);
    }
  } catch (error) {
    if (error instanceof SpoolLockedError) {
      say(`another \`sluice dead resend\` is at work here, ${ownerText(error.owner)}. Nothing was done`);
      return error.exitCode;
    }
    return sayExpected(error);
  } finally {
    session.close();
  }
}
