// The head of the page: name, readiness, whether figures come, which process is looked into, and the ways to the sections.
import { useEffect } from 'preact/hooks';
import { post } from '../api/client.ts';
import type { Live } from '../api/live.ts';
import type { ComponentState } from '../api/shapes.ts';
import { age } from '../format/times.ts';
import type { PageState } from '../state/store.ts';
import { ProcessPicker } from './process-picker.tsx';
import { StateMark } from './state-mark.tsx';

const SECTIONS = [
  ['flow', 'Flow'],
  ['history', 'Last 15 minutes'],
  ['components', 'Components'],
  ['latency', 'Latency'],
  ['spool', 'Spool'],
  ['topics', 'Topics'],
  ['refusals', 'Refusals'],
  ['connections', 'Connections'],
  ['processes', 'Processes'],
  ['controls', 'Controls'],
] as const;

export function Header({ state, live }: { readonly state: PageState; readonly live: Live }) {
  const { session, process } = state;
  const { figures } = state.whole;
  const logout = async () => {
    await post('/logout', {});
    void live.start();
  };
  return (
    <header class="page-head">
      <div class="bar">
        <h1>
          <svg viewBox="0 0 32 32" width="22" height="22" aria-hidden="true" class="logo">
            <rect width="32" height="32" rx="7" />
            <path d="M5 12c3.7-3 7.3-3 11 0s7.3 3 11 0M5 20c3.7-3 7.3-3 11 0s7.3 3 11 0" />
          </svg>
          Sluice
        </h1>
        {session?.login !== 'needed' && (
          <>
            <Readiness state={state} />
            <LinkState state={state} />
          </>
        )}
        <span class="grow" />
        {figures !== null && (
          <span class="about">
            {figures.version} · up {age(figures.uptimeSeconds)}
          </span>
        )}
        {figures !== null && session !== null && (
          <ProcessPicker processes={session.processes} process={process} live={live} />
        )}
        {session?.login === 'not needed' && session.canLogIn && !session.mayChange && (
          <button type="button" class="quiet" onClick={() => live.askLogin(!state.asksLogin)}>
            {state.asksLogin ? 'Back' : 'Log in'}
          </button>
        )}
        {session?.login === 'done' && (
          <button type="button" class="quiet" onClick={() => void logout()}>
            Log out
          </button>
        )}
      </div>
      {figures !== null && session?.login !== 'needed' && (
        <nav aria-label="Sections">
          {SECTIONS.map(([id, title]) => (
            <a key={id} href={`#${id}`}>
              {title}
            </a>
          ))}
        </nav>
      )}
    </header>
  );
}

function Readiness({ state }: { readonly state: PageState }) {
  const { mark, word } = readinessOf(state);
  // Seen in a row of tabs.
  useEffect(() => {
    document.title = `${word} · Sluice`;
  }, [word]);
  return <StateMark state={mark} word={word} />;
}

function readinessOf({ whole: { figures }, link }: PageState): { mark: ComponentState; word: string } {
  if (figures === null || link === 'lost') return { mark: 'unknown', word: 'Unknown' };
  if (figures.readiness?.ready === false) return { mark: 'failed', word: 'Not ready' };
  const isWorse =
    figures.components?.some(({ state }) => state === 'failed' || state === 'degraded') ?? false;
  return isWorse ? { mark: 'degraded', word: 'Ready, degraded' } : { mark: 'ok', word: 'Ready' };
}

const LINK_WORDS = { connecting: 'connecting', live: 'live', lost: 'lost' } as const;

function LinkState({ state: { link } }: { readonly state: PageState }) {
  return (
    <span class={`link link-${link}`}>
      <span class="dot" aria-hidden="true" />
      {LINK_WORDS[link]}
    </span>
  );
}
