// Defines `sluice serve` and its options. src/serve.ts runs it.
import { type Command, Option } from 'commander';
import { SERVER_PROCESS_FLAG } from '../processes/server-process-flag.ts';

/** The options of the program, which go with and without `serve`. */
export interface ProgramOptions {
  readonly printConfig?: true;
  /** The process to stop with, if `npm start` of a checkout started this one. */
  readonly stopWithParent?: number;
}

/** The hidden option is for processes that the gateway starts, which main.ts sees. */
export function defineServe(serve: Command, chosen: (wish: ProgramOptions) => void): void {
  serve
    .addOption(new Option(SERVER_PROCESS_FLAG).hideHelp())
    .action((_options: object, command: Command) => chosen(command.optsWithGlobals<ProgramOptions>()));
}
