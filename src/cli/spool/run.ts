// Runs a `sluice spool` command and turns expected errors into a message and an exit code.
import { existsSync } from 'node:fs';
import type { Settings } from '../../config/settings.ts';
import { refuseNewerFormats } from '../../spool/format.ts';
import { SpoolLockedError } from '../../spool/lock.ts';
import { say } from '../output.ts';
import { cat } from './cat.ts';
import type { SpoolCommand } from './command.ts';
import { drain } from './drain.ts';
import { ls } from './ls.ts';
import { rm } from './rm.ts';
import { verify } from './verify.ts';

/** Resolves with the exit code. */
export async function runSpool(command: SpoolCommand, settings: Settings): Promise<number> {
  const directory = settings.SPOOL_DIR;
  if (!existsSync(directory)) {
    say(`no spool at ${directory}`);
    return 1;
  }
  try {
    await refuseNewerFormats(directory);
    switch (command.name) {
      case 'ls':
        return await ls(directory, command.options);
      case 'verify':
        return await verify(directory);
      case 'cat':
        return await cat(directory, command.options);
      case 'drain':
        return await drain(settings, command.options);
      case 'rm':
        return await rm(directory, command.options);
    }
  } catch (error) {
    if (error instanceof SpoolLockedError) {
      say(`spool ${command.name} is refused beside a running gateway: ${error.message}`);
      return error.exitCode;
    }
    const { code, exitCode, message } = error as { code?: unknown; exitCode?: unknown; message: string };
    // An error without a code is a bug, and its stack is wanted.
    if (typeof code !== 'string') throw error;
    say(message);
    return typeof exitCode === 'number' ? exitCode : 1;
  }
}
