// Finds the control groups (cgroups) of this process: the directory of its own group and of each group above it that can be
// seen, for a controller such as cpu. Each of them may have a limit, and the smallest counts. It reads no limit.
//
// A machine may have version 2, version 1, or both. /proc/self/cgroup names the group of the process, as seen from the root
// of its namespace, and /proc/self/mountinfo has the mount points, each with the part of the tree that is seen there.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface GroupDirectory {
  readonly version: 1 | 2;
  readonly directory: string;
}

/** @param root the folder in which `proc` and `sys` lie. Empty on other systems than Linux */
export function groupDirectories(controller: 'cpu' | 'memory', root = '/'): readonly GroupDirectory[] {
  const groups = linesIn(join(root, 'proc/self/cgroup')).map((line) => {
    const [, controllers = '', group = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return { controllers: controllers.split(','), version: line.startsWith('0::') ? 2 : 1, group };
  });
  return linesIn(join(root, 'proc/self/mountinfo')).flatMap((line) => {
    // proc(5): ID, parent, device, root, mount point, options; behind the dash the type, the source, and further options.
    const [before = '', behind = ''] = line.split(' - ');
    const [, , , mounted = '', mountPoint = ''] = before.split(' ').map(unescaped);
    const [type, , options = ''] = behind.split(' ');
    const version = type === 'cgroup2' ? 2 : 1;
    const isOurs = type === 'cgroup2' || (type === 'cgroup' && options.split(',').includes(controller));
    const own = groups.find(
      (one) => one.version === version && (version === 2 || one.controllers.includes(controller)),
    );
    if (own === undefined || !isOurs) return [];
    return namesBelow(mounted, own.group).map((names) => ({
      version,
      directory: join(root, mountPoint, ...names),
    }));
  });
}

/** The paths from the mount point down to the group. A group outside of the mount cannot be seen: only the top counts then. */
function namesBelow(mounted: string, group: string): readonly (readonly string[])[] {
  const below = relative(mounted, group);
  const isInside = below !== '' && !below.startsWith('..') && !group.includes('/..');
  const names = isInside ? below.split('/') : [];
  return Array.from({ length: names.length + 1 }, (_, depth) => names.slice(0, depth));
}

/** Empty if the file is missing. */
export function linesIn(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch {
    return [];
  }
}

/** A space in a path is written as \040. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
