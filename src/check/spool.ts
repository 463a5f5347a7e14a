// The findings about the directory of the spool: its place and disk, its owner, its room, and who has its lock. Nothing is
// created or locked there.
import { accessSync, constants, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { refuseNewerFormats } from '../spool/format.ts';
import { refuseWithoutLocks, SpoolLockedError } from '../spool/lock.ts';
import { ownerText } from '../spool/lock-owner.ts';
import { SpoolUnusableError, unusable } from '../spool/unusable.ts';
import { nearest, refuseWrongPlace, reportRoom } from '../start/spool-place.ts';
import type { Context } from './context.ts';
import { error, type Finding, note, ok } from './finding.ts';
import { isOfRunningGateway, portsOf } from './ports.ts';
import { linesOf } from './recorded-lines.ts';

const REFUSED = 'The start is refused, because records could not be kept while Kafka is away.';
const MAX_NAMED = 3;

export async function checkSpool(context: Context): Promise<Finding[]> {
  const { settings } = context;
  const directory = resolve(settings.SPOOL_DIR);
  try {
    const place = linesOf(settings, (log) => refuseWrongPlace(settings.SPOOL_DIR, log));
    refuseNoAccess(directory);
    refuseWithoutLocks(directory, nearest(directory));
    await refuseNewerFormats(directory);
    const room = linesOf(settings, (log) => reportRoom(settings, log));
    return [...place, ...ownerFindings(directory), ...room, ...lockFindings(directory, context)];
  } catch (cause) {
    if (cause instanceof SpoolUnusableError)
      return [
        error('start_refused', {
          name: 'spool_unusable',
          what: cause.what,
          why: REFUSED,
          remedy: cause.remedy,
        }),
      ];
    const { code, message } = cause as { code?: unknown; message: string };
    if (typeof code !== 'string') throw cause;
    const remedy = 'Set SPOOL_DIR to another directory, or do what the text says';
    return [
      error('start_refused', {
        name: 'spool_unusable',
        what: `SPOOL_DIR=${directory}: ${message}`,
        why: REFUSED,
        remedy,
      }),
    ];
  }
}

/** @throws SpoolUnusableError or the system's error */
function refuseNoAccess(directory: string): void {
  const { R_OK, W_OK, X_OK } = constants;
  const missing = !existsSync(directory);
  try {
    // Fails for a file in place of the directory.
    if (!missing) readdirSync(directory);
    accessSync(nearest(directory), missing ? W_OK | X_OK : R_OK | W_OK | X_OK);
  } catch (cause) {
    throw unusable(directory, cause);
  }
}

/** Files that another user has left: as a rule that of a start as root. */
function ownerFindings(directory: string): Finding[] {
  const own = process.geteuid?.();
  if (own === undefined) return [];
  const there = existsSync(directory)
    ? [directory, ...readdirSync(directory).map((name) => join(directory, name))]
    : [];
  const foreign = there.flatMap((path) => {
    const uid = lstatSync(path, { throwIfNoEntry: false })?.uid;
    return uid === undefined || uid === own ? [] : [{ path, uid }];
  });
  const [first] = foreign;
  if (first === undefined) {
    const text =
      there.length === 0
        ? `SPOOL_DIR=${directory} does not exist yet; the start creates it`
        : `SPOOL_DIR=${directory} belongs to this user (${own})`;
    return [ok('spool_owner', text)];
  }
  const named = foreign.slice(0, MAX_NAMED).map(({ path }) => path);
  const more = foreign.length > MAX_NAMED ? `, and ${foreign.length - MAX_NAMED} more` : '';
  const what = `${named.join(', ')}${more} of SPOOL_DIR belong to user ${first.uid}, and this check runs as user ${own}`;
  if (own === 0)
    return [
      note({
        name: 'spool_owner_differs',
        what,
        why: 'Files that root creates there cannot be written by the user of the gateway.',
        remedy: `Run the check and all commands as that user: runuser -u '#${first.uid}' -- sluice check`,
      }),
    ];
  const remedy = `chown -R ${own} ${directory}, as root and while no gateway runs`;
  return [error('start_refused', { name: 'spool_owner_differs', what, why: REFUSED, remedy })];
}

function lockFindings(directory: string, context: Context): Finding[] {
  const { holder } = context;
  if (holder === undefined) return [ok('spool_free', 'No other process uses SPOOL_DIR')];
  const { owner } = holder;
  const isOurs = portsOf(context).some(({ port }) => isOfRunningGateway(port, context));
  if (isOurs)
    return [note({ name: 'gateway_runs', what: `A gateway runs with these settings, ${ownerText(owner)}` })];
  const { what, remedy } = new SpoolLockedError(directory, owner);
  const why =
    'Two gateways cannot share a spool, so the start is refused. That one does not have the ports of these settings.';
  return [error('start_refused', { name: 'spool_locked', what, why, remedy })];
}
