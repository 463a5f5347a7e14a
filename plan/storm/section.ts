// The section of docs/scaling.md on storms: what was simulated, the chart, the tables, and what follows for the defaults. It is
// made of docs/storm.json, and simulates nothing.
import { MORE_HANDSHAKES, type Scenario } from './plays.ts';
import { type Played, readStormFile, type StormFile } from './results.ts';
import { RULES } from './rules.ts';
import { stormTables } from './table.ts';

export function stormSection(): string {
  return sectionOf(readStormFile());
}

export function sectionOf(file: StormFile): string {
  const { fleet, plays, command, constantsAt } = file;
  const { devices, gateways, processes, cores, tls, rttMs, seed } = fleet;
  return [
    `${count(devices)} devices${tls ? ' with TLS 1.3' : ''} and ${rttMs} ms of round trip come back to ${gateways} gateways, each with ${processes} server processes on ${cores} cores, of which other work takes a fifth. Costs are the constants of ${constantsAt.slice(0, 10)}, seed ${seed}:`,
    `\`\`\`sh\n${command}\n\`\`\``,
    '![Devices that are back and attempts a second, by rule, for each way of losing connections](images/storm.svg)',
    `The rules of the devices:\n${RULES.map(({ name, about }) => `- \`${name}\`: ${about}.`).join('\n')}`,
    stormTables(plays),
    '"Attempts each" counts those that reach a gateway. "CPU, times" is the CPU time of the gateways, relative to a return without a failed attempt.',
    `**What follows.**\n${lessons(plays)
      .map((lesson) => `- ${lesson}`)
      .join('\n')}`,
    LIMITS,
  ].join('\n\n');
}

const LIMITS =
  '**What the simulation leaves out.** Handshakes are full ones (devices that resume a session come back sooner), each device has an address of its own, a balancer has no limits, packets are lost only when the accept queue is full, and the messages that devices kept are not sent. Connections spread evenly over processes that wait; on a real machine they do not.';

function lessons(plays: readonly Played[]): string[] {
  const of = (scenario: Scenario, name: string): Played => {
    const found = plays.find((play) => play.scenario === scenario && play.name === name);
    if (found === undefined) throw new Error(`docs/storm.json has no play ${name} of ${scenario}`);
    return found;
  };
  const [outage, outageShort] = [of('outage', 'protocol'), of('outage', 'fixed-jitter')];
  const restart = (name: string): Played => of('restart', name);
  const protocol = restart('protocol');
  const more = restart(`protocol, ${MORE_HANDSHAKES} handshakes`);
  const [oneMinute, noJitter, short] = [restart('one-minute'), restart('no-jitter'), restart('fixed-jitter')];
  const [told, killed] = [of('drain', 'told, all at once'), of('drain', 'killed')];
  return [
    `\`TCP_TLS_MAX_HANDSHAKES\` decides after a short outage, not the cores. A handshake keeps its place for a round trip, so a gateway takes at most 256 in that time: ${most(protocol.backPerSecond)} a second, all gateways together. The others wait until their handshake fails. With ${count(MORE_HANDSHAKES)} the gateways take up to ${most(more.backPerSecond)} a second, and all are back after ${after(more)} instead of ${after(protocol)}, with ${each(more)} attempts instead of ${each(protocol)}. Proposed as the default for gateways with several processes, not changed; set it for a large or far fleet.`,
    `With 256 handshakes a failed one needs no longer wait than a lost connection. A refused attempt costs the gateway little, so a first wait of 5 s only leaves it idle: with 1 s all are back after ${after(oneMinute)} instead of ${after(protocol)}, for ${each(oneMinute)} attempts instead of ${each(protocol)}. With ${count(MORE_HANDSHAKES)} no handshake fails, and this makes no difference. Proposed, not changed.`,
    `Waits that grow, and jitter, bring no device back sooner here. With 1 s and up to half of it more all are back after ${after(outageShort)} instead of ${after(outage)} after the long outage, and after ${after(short)} instead of ${after(protocol)} after the short one; the waits of the protocol without jitter take ${after(noJitter)}. The kernel drops what its accept queue cannot keep, which costs the gateways nearly nothing. Growing waits spare what is in between: at the return, up to ${most(outage.attemptsPerSecond)} attempts come in a second instead of ${most(outageShort.attemptsPerSecond)}. A balancer or a cellular network may need that, and neither was simulated. So apart from the point above the waits of docs/protocol.md stay.`,
    `A drain is gentle: its devices come back over ${after(told)}, at most ${most(told.attemptsPerSecond)} a second. If the gateway is killed, they are back after ${after(killed)}, with ${each(killed)} attempts each. If readings must not wait, a shorter spread than 5 ms a device would do where several gateways share them. Proposed: 5 ms divided by the number of server processes. Not changed.`,
    `A long outage is the easy case: after minutes of waiting the devices are spread by themselves, and ${after(outage)} after the return all are back, because the longest wait is a minute and a half.`,
  ];
}

const count = (value: number): string => value.toLocaleString('en');
const most = (values: readonly number[]): string => count(Math.max(...values));
const each = ({ attemptsEach }: Played): string => attemptsEach.toFixed(2);
const after = ({ allSeconds }: Played): string => secondsText(allSeconds);
const secondsText = (seconds: number | null): string =>
  seconds === null ? 'more than half an hour' : `${Math.round(seconds)} s`;
