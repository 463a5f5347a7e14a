// Writes the names of all settings into docker-compose.yml, so that each reaches the gateways from --env-file and none can
// be forgotten.
import { settingGroups } from './settings.ts';

const BEGIN = '  # settings: begin\n';
const END = '  # settings: end\n';

/** The file with the section replaced. @throws Error if its two marker lines are missing or doubled */
export function withSettings(file: string): string {
  const [before, section, ...more] = file.split(BEGIN);
  const [, after, ...rest] = section?.split(END) ?? [];
  if (before === undefined || after === undefined || more.length + rest.length > 0)
    throw new Error(`docker-compose.yml needs one line "${BEGIN.trim()}", and after it one "${END.trim()}"`);
  return before + BEGIN + settingsMap() + END + after;
}

/** A name with no value: Compose takes the value from --env-file or its environment. */
function settingsMap(): string {
  return settingGroups
    .map(({ title, names }) => `  # ${title}\n${names.map((name) => `  ${name}:\n`).join('')}`)
    .join('');
}
