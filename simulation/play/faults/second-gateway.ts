// A mistake of operators: another gateway is started on the directory of one that runs. It has to be refused, and the first
// one must not notice.
import { SimGateway } from '../../gateway/sim-gateway.ts';
import { type FaultKind, fault } from '../fault.ts';
import type { Stage } from '../stage.ts';

const OTHER_PORT = '8099';

export const SECOND_GATEWAY: FaultKind = fault({
  name: 'second-gateway',
  weight: 1,
  draw: (random) => ({ hasSamePort: random.chance(0.5) }),
  words: ({ hasSamePort }) =>
    `another gateway is started on the same directory${hasSamePort ? '' : ', with another port'}`,
  play: startSecond,
});

function startSecond(
  { world, wrong, gateway: supervisor }: Stage,
  { hasSamePort }: { hasSamePort: boolean },
): void {
  const owner = supervisor.gateway;
  if (owner === undefined || !supervisor.isUp || supervisor.isLeaving) return;
  const processesOf = () => owner.processes.map(({ name }) => name).join(' ');
  const before = processesOf();
  // Until a server process that crashed is started again, nobody has its part of the directory.
  const isOwnerWhole = () =>
    supervisor.gateway === owner && supervisor.isUp && !supervisor.isLeaving && processesOf() === before;
  const second = SimGateway.start(world, {
    ...supervisor.env,
    ...(hasSamePort ? {} : { TCP_PORT: OTHER_PORT }),
  });
  // It may wait for the lock of a gateway that stops. Then it would keep the next start of that one from it.
  void owner.exited.then(() => second.kill());
  second.ready.then(
    () => {
      if (isOwnerWhole()) wrong.add('two gateways on one directory', 'the second one was not refused');
      second.kill();
    },
    () => {
      for (const { process, error } of second.crashes)
        wrong.add('the gateway crashed', `a second one, ${process}: ${String(error)}`);
    },
  );
}
