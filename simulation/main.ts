// The command `npm run simulate`: plays histories of the gateway in simulated worlds (docs/reliability.md, "Simulation").
// It installs the hooks that put the simulation below the gateway's code, and then loads that code.
const args = process.argv.slice(2);
// Options behind `--` are for the histories of the mutants.
const end = args.includes('--') ? args.indexOf('--') : args.length;
const at = args.slice(0, end).indexOf('--mutants');
process.exitCode = at < 0 ? await simulate() : await mutants(args.toSpliced(at, 1));

async function mutants(rest: string[]): Promise<number> {
  const { runMutants } = await import('./mutants/command.ts');
  return runMutants(rest);
}

async function simulate(): Promise<number> {
  const { installHooks } = await import('./hooks.ts');
  installHooks();
  const { runCommand } = await import('./play/command.ts');
  return runCommand(args);
}
