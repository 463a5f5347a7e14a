// Finds Debian's Chromium, installs it if this is root's machine, and starts it with playwright-core, which downloads
// nothing. The browser ends with this process, whose pipe it reads.
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
/** Another process may be installing it. */
const INSTALL = [
  '-q',
  '-y',
  '-o',
  'DPkg::Lock::Timeout=300',
  'install',
  '--no-install-recommends',
  'chromium',
];

export const NO_CHROMIUM = 'Chromium is missing (on Debian: apt-get install chromium)';

/** Undefined if there is none and none can be installed. The caller closes it. @param env over that of this process */
export async function startChromium(
  env: Readonly<Record<string, string>> = {},
): Promise<Browser | undefined> {
  const executablePath = findChromium() ?? installChromium();
  if (executablePath === undefined) return undefined;
  // Root has no sandbox. Crash reports and the like would be written to the home directory.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return await chromium.launch({ executablePath, args, env: { ...process.env, HOME: tmpdir(), ...env } });
}

function findChromium(): string | undefined {
  const { stdout } = spawnSync('sh', ['-c', `command -v ${NAMES.join(' || command -v ')}`], {
    encoding: 'utf8',
  });
  return stdout?.trim() || undefined;
}

/** Only as root with apt-get. */
function installChromium(): string | undefined {
  if (process.getuid?.() !== 0 || spawnSync('apt-get', ['--version']).status !== 0) return undefined;
  console.error('Installing Chromium ...');
  const quiet = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } } as const;
  // The lists of packages may be missing or old.
  if (spawnSync('apt-get', INSTALL, quiet).status !== 0) {
    spawnSync('apt-get', ['update', '-q'], quiet);
    spawnSync('apt-get', INSTALL, quiet);
  }
  return findChromium();
}
