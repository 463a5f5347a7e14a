// The server processes side by side, with a way to look into each.
import type { Live } from '../api/live.ts';
import type { ProcessesShape } from '../api/shapes.ts';
import { RATE_WINDOW_SECONDS, spanOf } from '../figures/rates.ts';
import { whole as number } from '../format/numbers.ts';
import { ProcessRow } from '../parts/process-row.tsx';
import { Section } from '../parts/section.tsx';
import type { View } from '../state/store.ts';
import { usePolled } from '../state/use-polled.ts';

interface ProcessesProps {
  readonly whole: View;
  readonly process: number | null;
  readonly live: Live;
}

const POLL_MS = 10_000;

export function ProcessesSection({ whole: { figures, recent }, process, live }: ProcessesProps) {
  const { value } = usePolled<ProcessesShape>('/processes', POLL_MS);
  if (figures === null) return null;
  const { byProcess, processes } = figures;
  // `first` serves no devices.
  const names = Object.keys(byProcess.cpuSeconds);
  const span = spanOf(recent, RATE_WINDOW_SECONDS);
  const rate = (name: string, figure: 'cpuSeconds' | 'linesReceived' | 'recordsConfirmed') => {
    const [now, before] = [byProcess[figure][name], span?.before.byProcess[figure][name]];
    return span === null || now === undefined || before === undefined
      ? null
      : Math.max(0, (now - before) / span.seconds);
  };
  return (
    <Section
      id="processes"
      title="Processes"
      note={`${processes.running} of ${processes.configured} run, ${number(processes.restarts)} restarts`}
    >
      <div class="card scroll">
        <table class="rows stacks processes">
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col" class="state">
                State
              </th>
              {['Devices', 'Lines/s', 'Stored/s', 'Unconfirmed', 'CPU', 'Memory', 'Loop p99'].map((label) => (
                <th scope="col" class="number" key={label}>
                  {label}
                </th>
              ))}
              {names.length > 1 && (
                <th scope="col" class="state">
                  <span class="hidden">View</span>
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <ProcessRow
                key={name}
                name={name}
                pid={value?.processes.find(({ index }) => String(index) === name)?.pid}
                figures={byProcess}
                rate={rate}
                isChosen={name === String(process)}
                onView={names.length > 1 ? (to) => live.lookInto(to) : undefined}
              />
            ))}
          </tbody>
        </table>
      </div>
    </Section>
  );
}
