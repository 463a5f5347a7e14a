// The sections in their order, of all processes together or of the one that is looked into.
import type { Live } from '../api/live.ts';
import type { PageState } from '../state/store.ts';
import { BalanceSection } from './balance.tsx';
import { ChartsSection } from './charts.tsx';
import { ComponentsSection } from './components.tsx';
import { ConnectionsSection } from './connections.tsx';
import { ControlsSection } from './controls.tsx';
import { FlowSection } from './flow.tsx';
import { LatencySection } from './latency.tsx';
import { ProcessesSection } from './processes.tsx';
import { RefusalsSection } from './refusals.tsx';
import { SpoolSection } from './spool.tsx';
import { TermsSection } from './terms.tsx';
import { TopicsSection } from './topics.tsx';

export function Sections({ state, live }: { readonly state: PageState; readonly live: Live }) {
  const { whole, process, session } = state;
  if (whole.figures === null) return <p class="empty">Waiting for the first figures … {state.problem}</p>;
  // Until the figures of the process come, the former ones stay, marked as old.
  const isWaiting = process !== null && state.ofProcess.figures === null;
  const { figures, recent, history } = process === null || isWaiting ? whole : state.ofProcess;
  const components = whole.figures.components ?? [];
  if (figures === null) return null;
  return (
    <div class={isWaiting ? 'is-stale' : ''}>
      <FlowSection figures={figures} recent={recent} />
      <BalanceSection figures={figures} />
      <ChartsSection history={history} />
      <ComponentsSection components={components} />
      <div class="columns">
        <LatencySection recent={recent} />
        <SpoolSection figures={figures} />
      </div>
      <TopicsSection figures={figures} components={components} />
      <RefusalsSection figures={figures} recent={recent} />
      <ConnectionsSection figures={figures} process={process} mayChange={session?.mayChange ?? false} />
      <ProcessesSection whole={whole} process={process} live={live} />
      <ControlsSection session={session} />
      <TermsSection />
    </div>
  );
}
