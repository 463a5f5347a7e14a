// Runs a `sluice spool` command and turns expected errors into a message and an exit code.
import { existsSync } from 'node:fs';
import type { Settings } from '../../config/settings.ts';
import { refuseNewerFormats } from '../../spool/format.ts';
import { SpoolLockedError } from '../../spool/lock.ts';
import { sayExpected } from '../expected-error.ts';
import { say } from '../output.ts';
import { load, withSettings } from '../with-settings.ts';
import { type SpoolCommand, settingsFrom } from './command.ts';
import { ls } from './ls.ts';
import { rm } from './rm.ts';
import { verify } from './verify.ts';

/** Resolves with the exit code. */
export function runSpool(command: SpoolCommand): Promise<number> {
  return withSettings(load(settingsFrom(command)), ({ settings }) => run(command, settings));
}

async function run(command: SpoolCommand, settings: Settings): Promise<number> {
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
      case 'cat': {
        // It decompresses batches.
        const { cat } = await import('./cat.ts');
        return await cat(directory, command.options);
      }
      case 'drain': {
        // The only one that needs Kafka's client.
        const { drain } = await import('./drain.ts');
        return await drain(settings, command.options);
      }
      case 'rm':
        return await rm(directory, command.options);
    }
  } catch (error) {
    if (error instanceof SpoolLockedError) {
      say(`spool ${command.name} is refused beside a running gateway: ${error.message}`);
      return error.exitCode;
    }
    return sayExpected(error);
  }
}
