// Everything that is wrong, with the remedy. The only place of the page that is read aloud when it changes.
import { useRef } from 'preact/hooks';
import type { ComponentShape } from '../api/shapes.ts';
import { timeOfDay } from '../format/times.ts';
import type { PageState } from '../state/store.ts';
import { StateMark } from './state-mark.tsx';
import { Words } from './words.tsx';

/** More are in the section of the components. */
const MAX_SHOWN = 3;

export function Banner({ state }: { readonly state: PageState }) {
  // Numbers in the reasons change every second. Only another trouble is read aloud.
  const spoken = useRef({ key: '', text: '' });
  const key = keyOf(state);
  if (spoken.current.key !== key) spoken.current = { key, text: textOf(state) };
  return (
    <div class="banners">
      <p class="hidden" aria-live="polite">
        {spoken.current.text}
      </p>
      <div role="status" aria-live="off" aria-label="What is wrong">
        {state.link === 'lost' ? <LostBanner state={state} /> : <TroubleBanner state={state} />}
      </div>
    </div>
  );
}

function LostBanner({ state: { figuresAtMs } }: { readonly state: PageState }) {
  const at = figuresAtMs === null ? undefined : new Date(figuresAtMs).toISOString();
  return (
    <div class="banner banner-failed">
      <StateMark state="failed" word="Gateway lost" />
      <p>
        No figures come from the gateway any more. Those below are of {timeOfDay(at)}.
        <span class="remedy">
          See whether the gateway runs and this machine reaches it. The page connects again by itself.
        </span>
      </p>
    </div>
  );
}

function TroubleBanner({ state }: { readonly state: PageState }) {
  const { readiness } = state.whole.figures ?? {};
  const wrong = wrongIn(state);
  const isReady = readiness?.ready ?? true;
  if (isReady && wrong.length === 0) return null;
  const level = !isReady || wrong.some(isFailed) ? 'failed' : 'degraded';
  const title = isReady ? (level === 'failed' ? 'Failed' : 'Degraded') : 'Not ready';
  // Components say more about the reasons. Without one, such as before the port is open, the reasons have to do.
  const reasons = wrong.length === 0 ? (readiness?.reasons ?? []) : [];
  const more = wrong.length - MAX_SHOWN;
  return (
    <div class={`banner banner-${level}`}>
      <StateMark state={level} word={title} />
      <ul>
        {reasons.map((one) => (
          <li key={one}>{one}</li>
        ))}
        {wrong.slice(0, MAX_SHOWN).map(({ id, reason, remedy }) => (
          <li key={id}>
            <strong>{id}</strong>: <Words text={reason} />
            {remedy !== null && (
              <span class="remedy">
                What to do: <Words text={remedy} />
              </span>
            )}
          </li>
        ))}
        {more > 0 && (
          <li key="more">
            <a href="#components">{more} more</a>
          </li>
        )}
      </ul>
    </div>
  );
}

/** Failed components first. None while nothing may be read. */
function wrongIn({ whole: { figures }, session }: PageState): readonly ComponentShape[] {
  const components = session?.login === 'needed' ? [] : (figures?.components ?? []);
  return [...components.filter(isFailed), ...components.filter(isDegraded)];
}

function keyOf(state: PageState): string {
  const { readiness } = state.whole.figures ?? {};
  const findings = wrongIn(state).map(({ id, finding }) => `${id} ${finding}`);
  return [state.link === 'lost' ? 'lost' : '', readiness?.ready ?? '', ...findings].join('\n');
}

function textOf(state: PageState): string {
  if (state.link === 'lost') return 'The gateway is lost.';
  const wrong = wrongIn(state).map(({ id, reason, remedy }) => `${id}: ${reason}. ${remedy ?? ''}`);
  const isReady = state.whole.figures?.readiness?.ready ?? true;
  return [isReady ? '' : 'Not ready.', ...wrong].join(' ');
}

const isFailed = ({ state }: ComponentShape) => state === 'failed';
const isDegraded = ({ state }: ComponentShape) => state === 'degraded';
