// Fonts for the pictures, unpacked from Debian's packages into a directory of the run. A machine without a desktop has only
// DejaVu, which no reader of the README sees on the page. It installs nothing.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PACKAGES = ['fonts-inter', 'fonts-jetbrains-mono'];
const SANS = ['system-ui', 'ui-sans-serif', 'sans-serif', 'Segoe UI', 'Roboto', 'Helvetica Neue', 'Arial'];
const MONO = [
  'ui-monospace',
  'monospace',
  'SF Mono',
  'SFMono-Regular',
  'Menlo',
  'Consolas',
  'Liberation Mono',
];

/** The path for FONTCONFIG_FILE; undefined, and the pictures have the machine's own fonts, if the packages cannot be had. */
export function pictureFonts(directory: string): string | undefined {
  const fonts = join(directory, 'fonts');
  mkdirSync(fonts);
  if (spawnSync('apt-get', ['download', '-q', ...PACKAGES], { cwd: fonts }).status !== 0) return undefined;
  for (const name of readdirSync(fonts).filter((name) => name.endsWith('.deb')))
    if (spawnSync('dpkg-deb', ['-x', name, '.'], { cwd: fonts }).status !== 0) return undefined;
  const file = join(fonts, 'fonts.conf');
  writeFileSync(
    file,
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include ignore_missing="yes">/etc/fonts/fonts.conf</include>
<dir>${fonts}</dir>
<cachedir>${join(fonts, 'cache')}</cachedir>
${SANS.map((name) => alias(name, 'Inter')).join('\n')}
${MONO.map((name) => alias(name, 'JetBrains Mono')).join('\n')}
</fontconfig>
`,
  );
  return file;
}

function alias(name: string, font: string): string {
  return `<match target="pattern"><test name="family"><string>${name}</string></test><edit name="family" mode="prepend" binding="strong"><string>${font}</string></edit></match>`;
}
