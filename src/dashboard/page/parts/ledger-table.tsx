// One balance, as an accountant writes it: all that came in, the places that have it now, and whether both sides are equal.
import type { Entry, Ledger } from '../figures/balance.ts';
import { percent, whole } from '../format/numbers.ts';
import { StateMark } from './state-mark.tsx';

export function LedgerTable({ ledger }: { readonly ledger: Ledger }) {
  const { title, incoming, places, total, difference } = ledger;
  const placed = total - difference;
  return (
    <div class="card ledger-card">
      <table class="ledger">
        <caption>{title}</caption>
        <thead class="hidden">
          <tr>
            <th scope="col">Sign</th>
            <th scope="col">Where</th>
            <th scope="col">Number</th>
            <th scope="col">Share</th>
          </tr>
        </thead>
        <tbody>
          {incoming.map((entry, at) => (
            <Row key={entry.label} entry={entry} sign={at === 0 ? '' : '+'} total={total} isIncoming />
          ))}
        </tbody>
        <tbody>
          {places.map((entry, at) => (
            <Row key={entry.label} entry={entry} sign={at === 0 ? '=' : '+'} total={total} />
          ))}
        </tbody>
        <tfoot>
          <tr>
            <td />
            <td>
              {difference === 0 ? (
                <StateMark state="ok" word="adds up" />
              ) : (
                <StateMark state="failed" word={`off by ${whole(difference)}: report this bug`} />
              )}
            </td>
            <td colSpan={2}>
              {whole(total)} {difference === 0 ? '=' : '≠'} {whole(placed)}
            </td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

interface RowProps {
  readonly entry: Entry;
  readonly sign: string;
  readonly total: number;
  readonly isIncoming?: boolean;
}

function Row({ entry: { label, value, target, isBad }, sign, total, isIncoming = false }: RowProps) {
  const share = total > 0 ? value / total : 0;
  return (
    <tr class={isBad === true && value > 0 ? 'is-bad' : ''}>
      <td class="sign">{sign}</td>
      <th scope="row">
        <a href={`#${target}`}>{label}</a>
      </th>
      <td class="number">{whole(value)}</td>
      <td class="share">
        {!isIncoming && (
          <>
            <span class="share-bar" aria-hidden="true">
              <span style={{ width: `${Math.min(1, share) * 100}%` }} />
            </span>
            <span class="share-text">{percent(share)}</span>
          </>
        )}
      </td>
    </tr>
  );
}
