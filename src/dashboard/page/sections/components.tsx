// The parts of the gateway with their state, the reason for it and the remedy.
import type { ComponentShape, ComponentState } from '../api/shapes.ts';
import { Cell } from '../parts/cell.tsx';
import { Section } from '../parts/section.tsx';
import { StateMark } from '../parts/state-mark.tsx';
import { Table } from '../parts/table.tsx';
import { Words } from '../parts/words.tsx';

const WORST_FIRST: readonly ComponentState[] = ['failed', 'degraded', 'unknown', 'ok'];

const COLUMNS = [['Component', 'name'], ['State', 'state'], ['Reason'], ['What to do']] as const;

export function ComponentsSection({ components }: { readonly components: readonly ComponentShape[] }) {
  const sorted = components.toSorted(
    (one, other) => WORST_FIRST.indexOf(one.state) - WORST_FIRST.indexOf(other.state),
  );
  const well = components.filter(({ state }) => state === 'ok').length;
  return (
    <Section id="components" title="Components" note={`${well} of ${components.length} ok`}>
      <div class="card scroll">
        <Table columns={COLUMNS}>
          {sorted.map(({ id, state, reason, remedy }) => (
            <tr key={id}>
              <th scope="row">{id}</th>
              <Cell column="State">
                <StateMark state={state} />
              </Cell>
              <Cell column="Reason" class="words">
                <Words text={reason} />
              </Cell>
              <Cell column="What to do" class="words">
                {remedy === null ? <span class="nothing">nothing</span> : <Words text={remedy} />}
              </Cell>
            </tr>
          ))}
        </Table>
      </div>
    </Section>
  );
}
