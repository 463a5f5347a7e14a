// The flow from received to stored as two ledgers that add up.
import type { SnapshotShape } from '../api/shapes.ts';
import { connectionsLedger, linesLedger, recordsLedger } from '../figures/balance.ts';
import { LedgerTable } from '../parts/ledger-table.tsx';
import { Section } from '../parts/section.tsx';

export function BalanceSection({ figures }: { readonly figures: SnapshotShape }) {
  return (
    <Section id="balance" title="Balance" note="lines and records since the start, connections now">
      <div class="columns">
        <div class="stack">
          <LedgerTable ledger={linesLedger(figures)} />
          <LedgerTable ledger={connectionsLedger(figures)} />
        </div>
        <LedgerTable ledger={recordsLedger(figures)} />
      </div>
    </Section>
  );
}
